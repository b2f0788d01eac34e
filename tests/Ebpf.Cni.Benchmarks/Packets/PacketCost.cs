namespace Ebpf.Cni.Benchmarks.Packets;

/// <summary>The cost of a packet in nanoseconds: the minimum of all runs.</summary>
/// <param name="Name">Of the case.</param>
/// <param name="Empty">The wrapper with an empty program: to be subtracted.</param>
/// <param name="Former">With the former program.</param>
/// <param name="Current">With the current one.</param>
internal sealed record PacketCost(string Name, uint Empty, uint Former, uint Current)
{
    public static PacketCost Sum(string name, PacketCost one, PacketCost other) =>
        new(name, one.Empty + other.Empty, one.Former + other.Former, one.Current + other.Current);
}
