using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>A node's connection table: its size, the entry that a packet of TCP or UDP meets, and time that a test can move.</summary>
internal static class Entries
{
    private const ulong Second = 1_000_000_000;

    public static IReadOnlyList<KeyValuePair<CtKey, Ct>> All(PodPrograms node) => node.Conntrack.ReadAll<CtKey, Ct>();

    public static int Count(PodPrograms node) => All(node).Count;

    /// <summary>The entry that the packet meets as it arrives.</summary>
    public static Ct? Of(PodPrograms node, Packet packet) => Map(node, packet.Protocol).TryLookup(Key(packet), out Ct entry) ? entry : null;

    /// <summary>As the LRU does it when it needs room.</summary>
    public static void Evict(PodPrograms node, Packet packet) =>
        Assert.True(Map(node, packet.Protocol).Delete(Key(packet)), $"no entry for {packet}");

    /// <summary>All entries began, and were last used, so much earlier than they were.</summary>
    public static void Age(PodPrograms node, int seconds)
    {
        var earlier = (ulong)seconds * Second;
        foreach (var (key, entry) in All(node))
            Map(node, key.Proto).Update(key, entry with { CreatedNs = entry.CreatedNs - earlier, LastSeenNs = entry.LastSeenNs - earlier });
    }

    private static BpfMap Map(PodPrograms node, IpProtocol protocol) => node.Conntrack.Of(protocol);

    private static CtKey Key(Packet packet) =>
        new(Addr.Parse(packet.Src), Addr.Parse(packet.Dst), U16Be.FromHost(packet.Sport), U16Be.FromHost(packet.Dport), packet.Protocol);
}
