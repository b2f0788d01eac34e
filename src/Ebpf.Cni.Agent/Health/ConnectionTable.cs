using System.Net;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// The open connections of one port, bounded without ever refusing a new one: a probe that is refused has the agent restarted.
/// Beyond the bound one goes of the peer that holds the most; of these, the one that has been silent longest, and none that waits
/// for its answer as long as there is another. So a pod that opens connections, kept or in a rush, displaces its own. Thread-safe.
/// </summary>
/// <param name="most">Connections that may be open at once.</param>
internal sealed class ConnectionTable(int most)
{
    private readonly Lock _lock = new();

    /// <summary>The one that has been silent longest comes first.</summary>
    private readonly LinkedList<Entry> _bySilence = [];
    private readonly Dictionary<IPAddress, int> _held = [];

    public int Count
    {
        get
        {
            lock (_lock)
                return _bySilence.Count;
        }
    }

    /// <param name="peer">Whose it is; null where peers have no address.</param>
    /// <param name="evict">Closes it, on the thread of the one that takes its place.</param>
    /// <returns>To be disposed when the connection is closed.</returns>
    public Entry Enter(IPAddress? peer, Action evict)
    {
        var entry = new Entry(this, peer is null ? IPAddress.None : peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer, evict);
        Entry? victim = null;
        lock (_lock)
        {
            if (_bySilence.Count >= most)
                Remove(victim = Victim());
            entry.Node = _bySilence.AddLast(entry);
            _held[entry.Peer] = _held.GetValueOrDefault(entry.Peer) + 1;
        }

        victim?.Evict();
        return entry;
    }

    private Entry Victim()
    {
        var largest = _held.Values.Max();
        var candidates = _bySilence.Where(e => _held[e.Peer] == largest);
        return candidates.FirstOrDefault(e => e.Answering == 0) ?? candidates.First();
    }

    private void Remove(Entry entry)
    {
        if (entry.Node is not { } node)
            return;
        entry.Node = null;
        _bySilence.Remove(node);
        if (--_held[entry.Peer] == 0)
            _held.Remove(entry.Peer);
    }

    /// <summary>A connection that is open.</summary>
    internal sealed class Entry(ConnectionTable table, IPAddress peer, Action evict) : IDisposable
    {
        public IPAddress Peer { get; } = peer;

        /// <summary>Requests without an answer.</summary>
        public int Answering { get; private set; }

        /// <summary>Its place in the order; null when it has left.</summary>
        public LinkedListNode<Entry>? Node { get; set; }

        public void Evict() => evict();

        /// <summary>A request has come.</summary>
        public void Begin() => Heard(1);

        /// <summary>It was answered; from now on the connection is silent.</summary>
        public void End() => Heard(-1);

        public void Dispose()
        {
            lock (table._lock)
                table.Remove(this);
        }

        private void Heard(int requests)
        {
            lock (table._lock)
            {
                Answering += requests;
                if (Node is null)
                    return;
                table._bySilence.Remove(Node);
                table._bySilence.AddLast(Node);
            }
        }
    }
}
