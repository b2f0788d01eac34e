using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>
/// <c>ebc_ct_v2</c> from outside: what is dead goes, what lives is counted. Each pass reads the whole table in pieces, in memory that is kept for the next one. Reading
/// does not make an entry look used: the LRU still gives up the ones that packets have not met for longest. Thread-safe; one pass at a time.
/// </summary>
public sealed partial class ConntrackTable : IDisposable
{
    private readonly Lock _lock = new();
    private readonly BpfMap _map;
    private readonly BpfMapScan<CtKey, Ct> _scan;
    private readonly IReaper _reaper;
    private readonly TimeProvider _time;
    private readonly ulong[] _lifetimes;
    private readonly CtKey[] _dead;
    private int _entries = -1;

    /// <param name="map">The table; owned.</param>
    /// <param name="reaper">Owned if it can be disposed.</param>
    /// <param name="timeouts">After which an entry is dead.</param>
    /// <param name="time">Its time stamps are the kernel's monotonic clock, as <see cref="TimeProvider.System"/> has it.</param>
    internal ConntrackTable(BpfMap map, IReaper reaper, in CtTimeouts timeouts, TimeProvider time)
    {
        _map = map;
        _scan = new BpfMapScan<CtKey, Ct>(map);
        _reaper = reaper;
        _time = time;
        _lifetimes = Lifetimes(timeouts);
        _dead = new CtKey[reaper.Batch];
    }

    /// <summary>One pass: dead entries are reaped, live ones counted.</summary>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    public SweepResult Sweep()
    {
        lock (_lock)
        {
            var count = new LiveCount();
            int dead = 0, reaped = 0;
            var now = Now();
            _scan.Run((keys, values) =>
            {
                for (var i = 0; i < keys.Length; i++)
                {
                    if (!IsDead(values[i], now))
                    {
                        count.Add(keys[i], values[i]);
                        continue;
                    }
                    _dead[dead++] = keys[i];
                    if (dead < _dead.Length)
                        continue;
                    reaped += _reaper.Reap(_dead);
                    dead = 0;
                }
            });
            if (dead > 0)
                reaped += _reaper.Reap(_dead.AsSpan(0, dead));
            _entries = count.Entries;
            return new SweepResult(count.Entries, reaped, count.ByState(), count.Live, UsageNow());
        }
    }

    /// <summary>
    /// Removes the entries of flows to backends that are gone, both directions: the next datagram chooses anew. Connections (TCP) are left to end. What the flows carried
    /// since their last report is not added to the statistics.
    /// </summary>
    /// <returns>How many entries were removed.</returns>
    public int Purge(IReadOnlyCollection<GoneBackend> gone)
    {
        ArgumentNullException.ThrowIfNull(gone);
        if (gone.Count == 0)
            return 0;
        var backends = gone.ToHashSet();
        lock (_lock)
        {
            var keys = new List<CtKey>();
            _scan.Run((found, values) =>
            {
                for (var i = 0; i < found.Length; i++)
                    if (found[i].Proto is IpProtocol.Udp or IpProtocol.Sctp && values[i].ServiceId != 0
                        && backends.Contains(new GoneBackend(values[i].ServiceId, Backend(found[i], values[i]), BackendPort(found[i], values[i]), found[i].Proto)))
                        keys.Add(found[i]);
            });
            return _map.DeleteBatch(CollectionsMarshal.AsSpan(keys));
        }
    }

    /// <summary>Who fills the table: the <paramref name="n"/> clients and service ports with most entries, dead ones that still take room included.</summary>
    public ConntrackTop Top(int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var clients = new Dictionary<Addr, int>();
        var services = new Dictionary<uint, int>();
        lock (_lock)
        {
            var entries = 0;
            _scan.Run((keys, values) =>
            {
                entries += keys.Length;
                for (var i = 0; i < keys.Length; i++)
                {
                    var client = IsReply(values[i]) ? values[i].Dst : keys[i].Src;
                    CollectionsMarshal.GetValueRefOrAddDefault(clients, client, out _)++;
                    CollectionsMarshal.GetValueRefOrAddDefault(services, values[i].ServiceId, out _)++;
                }
            });
            _entries = entries;
            return new ConntrackTop(
                [.. clients.OrderByDescending(c => c.Value).ThenBy(c => c.Key).Take(n).Select(c => new ClientHolding(c.Key, c.Value))],
                [.. services.OrderByDescending(s => s.Value).ThenBy(s => s.Key).Take(n).Select(s => new ServiceHolding(s.Key, s.Value))],
                UsageNow());
        }
    }

    /// <summary>Whether one of these addresses, or a loopback address, has a live connection to a service.</summary>
    internal bool HasServiceClient(IReadOnlySet<Addr> clients)
    {
        lock (_lock)
        {
            var found = false;
            var now = Now();
            _scan.Run((keys, values) =>
            {
                for (var i = 0; i < keys.Length && !found; i++)
                    found = values[i].ServiceId != 0 && !IsReply(values[i]) && !IsDead(values[i], now)
                        && (clients.Contains(keys[i].Src) || System.Net.IPAddress.IsLoopback(keys[i].Src.ToIPAddress()));
            });
            return found;
        }
    }

    /// <summary>As the last pass found it; counts when there was none.</summary>
    public TableUsage Usage()
    {
        lock (_lock)
        {
            if (_entries < 0)
            {
                _entries = 0;
                _scan.Run((keys, _) => _entries += keys.Length);
            }
            return UsageNow();
        }
    }

    public void Dispose()
    {
        _map.Dispose();
        (_reaper as IDisposable)?.Dispose();
    }

    internal static bool IsReply(in Ct value) => (value.Flags & CtFlags.Reply) != 0;

    /// <summary>Where the flow goes; the answers come from there.</summary>
    internal static Addr Backend(in CtKey key, in Ct value) => IsReply(value) ? key.Src : value.Dst;

    internal static U16Be BackendPort(in CtKey key, in Ct value) => IsReply(value) ? key.Sport : value.Dport;

    private bool IsDead(in Ct value, ulong now) =>
        now > value.LastSeenNs && now - value.LastSeenNs > ((int)value.State < _lifetimes.Length ? _lifetimes[(int)value.State] : 0);

    private ulong Now() => (ulong)_time.GetElapsedTime(0, _time.GetTimestamp()).Ticks * (1_000_000 / TimeSpan.TicksPerMillisecond);

    private TableUsage UsageNow() => new(MapNames.Conntrack, (uint)_entries, _map.Info.MaxEntries);

    private static ulong[] Lifetimes(in CtTimeouts t)
    {
        uint[] seconds =
        [
            t.SynSent, t.SynRecv, t.Established, t.FinWait, t.CloseWait, t.LastAck, t.TimeWait, t.Close, t.Udp, t.UdpStream,
            t.SctpOpening, t.SctpEstablished, t.SctpClosing, t.Icmp,
        ];
        return Array.ConvertAll(seconds, s => s * 1_000_000_000UL);
    }
}
