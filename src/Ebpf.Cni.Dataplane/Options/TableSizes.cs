namespace Ebpf.Cni.Dataplane.Options;

/// <summary>
/// Sizes of the kernel's tables for a node's memory. Tables of connections, flows and clients grow with the square root of the memory: they
/// double from 4 to 16 GiB, and again to 64 and to 256. The share that they take falls from 1.5 % of 4 GiB to 0.2 % of 256. Below 1 and
/// above 256 GiB sizes stay the same.
/// </summary>
/// <remarks>
/// On 4 GiB all tables together may take 64 MiB. kube-proxy's minimum for nf_conntrack, 131,072 connections, would take 48 MiB for TCP
/// alone: an LRU table is allocated whole, nf_conntrack is not. So such a node tracks 65,536, Linux's own limit up to 4 GiB; 131,072 begin
/// at 16 GiB. Connections that a socket hook translates have no entries. Tables of the cluster's Services have a floor: 30,000 Services of
/// four endpoints in both families, with an entry for each cluster IP itself.
/// </remarks>
public sealed record TableSizes
{
    private const long GiB = 1L << 30;

    /// <summary>256 GiB, in doublings of 1 GiB.</summary>
    private const int LastStep = 8;

    /// <summary>The programs search a segment in 20 halvings.</summary>
    private const uint MostBackends = 1 << 20;

    /// <summary>Addresses, ports and protocols; the table takes memory as it fills.</summary>
    public required uint Services { get; init; }

    /// <summary>Of all services together; allocated whole.</summary>
    public required uint Backends { get; init; }

    /// <summary>Tracked TCP connections, two entries each.</summary>
    public required uint ConntrackTcp { get; init; }

    /// <summary>The same for all other protocols.</summary>
    public required uint ConntrackOther { get; init; }

    /// <summary>Flows of sockets that the socket hooks keep in tables.</summary>
    public required uint SocketFlows { get; init; }

    /// <summary>Addresses of pods on this node.</summary>
    public required uint Endpoints { get; init; }

    /// <summary>Clients with session affinity.</summary>
    public required uint Affinity { get; init; }

    /// <summary>Prefixes of loadBalancerSourceRanges; memory as it fills.</summary>
    public required uint SourceRanges { get; init; }

    /// <summary>Backends with counters.</summary>
    public required uint Stats { get; init; }

    /// <summary>Prefixes of pods and nodes: the cluster's size, not the node's; memory as it fills.</summary>
    public required uint Ipcache { get; init; }

    /// <param name="memory">The node's, in bytes: MemTotal of /proc/meminfo.</param>
    public static TableSizes For(long memory)
    {
        var step = Step(memory);
        return new TableSizes
        {
            Services = Math.Clamp(Grown(131072, step), 262144, 524288),
            Backends = Math.Clamp(Grown(131072, step), 262144, MostBackends),
            ConntrackTcp = Grown(32768, step),
            ConntrackOther = Grown(16384, step),
            SocketFlows = Grown(8192, step),
            Endpoints = Math.Clamp(Grown(2048, step), 4096, 16384),
            Affinity = Grown(8192, step),
            SourceRanges = Grown(8192, step),
            Stats = Grown(8192, step),
            Ipcache = 65536,
        };
    }

    /// <summary>A kernel does not manage all of a machine's memory: a fifth less still counts as the whole.</summary>
    private static int Step(long memory)
    {
        var step = 0;
        while (step < LastStep && memory >= (GiB << (step + 1)) / 5 * 4)
            step++;
        return step;
    }

    /// <summary>A doubling of memory is half as much again, the next one twice as much.</summary>
    private static uint Grown(uint atOne, int step) => (step % 2 == 0 ? atOne : atOne / 2 * 3) << (step / 2);
}
