using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>
/// <c>ebc_ct_tcp_v3</c> and <c>ebc_ct_any_v3</c> from outside: what is dead goes, what lives is counted. Each pass reads both tables in
/// pieces, in memory that is kept for the next one. Reading does not make an entry look used: the LRU still gives up the ones that packets
/// have not met for longest. Thread-safe; one pass at a time.
/// </summary>
public sealed partial class ConntrackTable : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ConntrackMap _tcp, _any;
    private readonly ConntrackLoad? _load;
    private readonly IReaper _reaper;
    private readonly TimeProvider _time;
    private readonly ulong[] _lifetimes;
    private readonly CtKey[] _dead;

    /// <param name="tcp">The table of TCP; owned.</param>
    /// <param name="any">The table of all else; owned.</param>
    /// <param name="load">Gets the counts of a pass; owned.</param>
    /// <param name="reaper">Owned if it can be disposed.</param>
    /// <param name="timeouts">After which an entry is dead.</param>
    /// <param name="time">Its time stamps are the kernel's monotonic clock, as <see cref="TimeProvider.System"/> has it.</param>
    internal ConntrackTable(BpfMap tcp, BpfMap any, ConntrackLoad? load, IReaper reaper, in CtTimeouts timeouts, TimeProvider time)
    {
        _tcp = new ConntrackMap(MapNames.ConntrackTcp, tcp);
        _any = new ConntrackMap(MapNames.ConntrackAny, any);
        _load = load;
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
            Scan((keys, values) =>
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
            _load?.Set(_tcp.Entries, _any.Entries);
            return new SweepResult(count.Entries, reaped, count.ByState(), count.Live, UsageNow());
        }
    }

    /// <summary>
    /// Removes the entries of flows to backends that are gone, both directions: the next datagram chooses anew. Connections (TCP) are left
    /// to end. What the flows carried since their last report is not added to the statistics.
    /// </summary>
    /// <returns>How many entries were removed.</returns>
    public int Purge(IReadOnlyCollection<RemovedBackend> gone)
    {
        ArgumentNullException.ThrowIfNull(gone);
        if (gone.Count == 0)
            return 0;
        var backends = gone.ToHashSet();
        lock (_lock)
        {
            var keys = new List<CtKey>();
            Scan((found, values) =>
            {
                for (var i = 0; i < found.Length; i++)
                    if (found[i].Proto is IpProtocol.Udp or IpProtocol.Sctp && values[i].ServiceId != 0
                        && backends.Contains(new RemovedBackend(
                            values[i].ServiceId, Backend(found[i], values[i]), BackendPort(found[i], values[i]), found[i].Proto)))
                        keys.Add(found[i]);
            });
            return Delete(keys);
        }
    }

    /// <summary>
    /// Who fills the table: the <paramref name="n"/> clients and service ports with most connections, dead ones that still take room
    /// included.
    /// </summary>
    public ConntrackTop Top(int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        var clients = new Dictionary<Addr, int>();
        var services = new Dictionary<uint, int>();
        lock (_lock)
        {
            Scan((keys, values) =>
            {
                for (var i = 0; i < keys.Length; i++)
                {
                    if (IsReply(values[i]))
                        continue;
                    CollectionsMarshal.GetValueRefOrAddDefault(clients, keys[i].Src, out _)++;
                    CollectionsMarshal.GetValueRefOrAddDefault(services, values[i].ServiceId, out _)++;
                }
            });
            return new ConntrackTop(
                [.. clients.OrderByDescending(c => c.Value).ThenBy(c => c.Key).Take(n).Select(c => new ClientHolding(c.Key, c.Value))],
                [.. services.OrderByDescending(s => s.Value).ThenBy(s => s.Key).Take(n).Select(s => new ServiceHolding(s.Key, s.Value))],
                UsageNow());
        }
    }

    /// <summary>
    /// Whether a connection to a service lives that was made without socket hooks, and whose packets pass lo between the node's own
    /// addresses: the requests, since the frontend is at one, or the answers, since client and backend are. (With hooks, none is made: what
    /// asks a loopback address is another matter.)
    /// </summary>
    internal bool HasServiceOnLoopback(IReadOnlySet<Addr> own)
    {
        bool Own(Addr a) => own.Contains(a) && !System.Net.IPAddress.IsLoopback(a.ToIPAddress());
        lock (_lock)
        {
            var found = false;
            var now = Now();
            Scan((keys, values) =>
            {
                for (var i = 0; i < keys.Length && !found; i++)
                    found = values[i].ServiceId != 0 && !IsReply(values[i]) && !IsDead(values[i], now)
                        && own.Contains(keys[i].Src) && (Own(keys[i].Dst) || (Own(values[i].Src) && Own(values[i].Dst)));
            });
            return found;
        }
    }

    /// <summary>As the last pass found it; counts when there was none.</summary>
    public ConntrackUsage Usage()
    {
        lock (_lock)
        {
            if (!_tcp.Counted)
                Scan((_, _) => { });
            return UsageNow();
        }
    }

    public void Dispose()
    {
        _tcp.Dispose();
        _any.Dispose();
        _load?.Dispose();
        (_reaper as IDisposable)?.Dispose();
    }

    internal static bool IsReply(in Ct value) => (value.Flags & CtFlags.Reply) != 0;

    /// <summary>Where the flow goes; the answers come from there.</summary>
    internal static Addr Backend(in CtKey key, in Ct value) => IsReply(value) ? key.Src : value.Dst;

    internal static U16Be BackendPort(in CtKey key, in Ct value) => IsReply(value) ? key.Sport : value.Dport;

    private bool IsDead(in Ct value, ulong now) =>
        now > value.LastSeenNs && now - value.LastSeenNs > ((int)value.State < _lifetimes.Length ? _lifetimes[(int)value.State] : 0);

    private ulong Now() => (ulong)_time.GetElapsedTime(0, _time.GetTimestamp()).Ticks * (1_000_000 / TimeSpan.TicksPerMillisecond);

    private ConntrackUsage UsageNow() => new(_tcp.Usage, _any.Usage);

    private void Scan(BpfMapScan<CtKey, Ct>.Visitor visit)
    {
        _tcp.Scan(visit);
        _any.Scan(visit);
    }

    private ConntrackMap Of(in CtKey key) => key.Proto == IpProtocol.Tcp ? _tcp : _any;

    private int Delete(List<CtKey> keys)
    {
        var tcp = keys.Where(k => k.Proto == IpProtocol.Tcp).ToArray();
        var any = keys.Where(k => k.Proto != IpProtocol.Tcp).ToArray();
        return _tcp.Delete(tcp) + _any.Delete(any);
    }

    private static ulong[] Lifetimes(in CtTimeouts t)
    {
        uint[] seconds =
        [
            t.SynSent, t.SynRecv, t.Established, t.FinWait, t.CloseWait, t.LastAck, t.TimeWait, t.Close, t.Udp, t.UdpStream,
            t.SctpOpening, t.SctpEstablished, t.SctpClosing, t.Icmp, t.Generic,
        ];
        return Array.ConvertAll(seconds, s => s * 1_000_000_000UL);
    }
}
