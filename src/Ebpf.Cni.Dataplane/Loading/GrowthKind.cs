using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>How a table is replaced by one of another size.</summary>
/// <param name="Begin">Of the former table and the new one, both owned by the result.</param>
/// <param name="Count">Its entries; null for a table that only the agent writes, which grows but does not shrink.</param>
internal sealed record GrowthKind(Func<BpfMap, BpfMap, TableGrowth> Begin, Func<BpfMap, long>? Count)
{
    private static readonly Dictionary<string, GrowthKind> Kinds = new()
    {
        [MapNames.Service] = Copied<SvcKey, Svc>(),
        [MapNames.Backend] = new((old, young) => new CopiedArray<Backend>(old, young), null),
        [MapNames.Endpoint] = Copied<EpKey, Ep>(),
        [MapNames.Netns] = Copied<NetnsKey, Netns>(),
        [MapNames.SourceRange] = Copied<SrangeKey, Srange>(),
        [MapNames.Ipcache] = Copied<IpcacheKey, Ipcache>(),
        [MapNames.ConntrackTcp] = Live<CtKey, Ct>(c => c.LastSeenNs, LaterConnection),
        [MapNames.ConntrackAny] = Live<CtKey, Ct>(c => c.LastSeenNs, LaterConnection),
        [MapNames.SockRev] = Live<SockRevKey, SockRev>(null, null),
        [MapNames.SockFlow] = Live<SockRevKey, SockFlow>(f => f.LastUsedNs, (old, young) => old.LastUsedNs > young.LastUsedNs ? old : null),
        [MapNames.Affinity] = Live<AffinityKey, Affinity>(
            a => a.LastUsedNs, (old, young) => old.LastUsedNs > young.LastUsedNs ? old : null),
        [MapNames.Return] = Live<CtKey, WayBack>(null, null),
        [MapNames.Stat] = new((old, young) => new CountedTable(old, young), Entries<StatKey, Stat>),
    };

    /// <summary>Null for a table that keeps its size.</summary>
    public static GrowthKind? Of(string map) => Kinds.GetValueOrDefault(map);

    /// <summary>
    /// Of one connection, the entry that a packet has met last. Of two, the later one: it began where the former was over, or no longer led
    /// anywhere.
    /// </summary>
    internal static Ct? LaterConnection(Ct old, Ct young)
    {
        if (old.CreatedNs == young.CreatedNs)
            return old.LastSeenNs > young.LastSeenNs
                ? old with { Packets = Math.Max(old.Packets, young.Packets), Bytes = Math.Max(old.Bytes, young.Bytes) } : null;
        return old.CreatedNs > young.CreatedNs ? old : null;
    }

    private static GrowthKind Copied<TKey, TValue>() where TKey : unmanaged where TValue : unmanaged =>
        new((old, young) => new CopiedTable<TKey, TValue>(old, young), null);

    private static GrowthKind Live<TKey, TValue>(Func<TValue, ulong>? lastUsed, Func<TValue, TValue, TValue?>? merge)
        where TKey : unmanaged where TValue : unmanaged =>
        new((old, young) => new LiveTable<TKey, TValue>(old, young, lastUsed, merge), Entries<TKey, TValue>);

    private static long Entries<TKey, TValue>(BpfMap map) where TKey : unmanaged where TValue : unmanaged
    {
        var entries = 0L;
        new BpfMapScan<TKey, TValue>(map).Run((keys, _) => entries += keys.Length);
        return entries;
    }
}
