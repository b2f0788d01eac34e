using System.Net;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>A packet whose program is measured, and the expected result: the cost of a dropped packet says nothing.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Enters">Hook and device.</param>
/// <param name="Packet">A packet of an established connection, or the SYN of a new one.</param>
/// <param name="Redirects">The expected verdict is a redirect; else the packet passes.</param>
/// <param name="Becomes">The expected destination: an address, or the range of several backends.</param>
/// <param name="Port">The expected destination port.</param>
internal sealed record PacketCase(string Name, Place Enters, Packet Packet, bool Redirects, IPNetwork Becomes, ushort Port)
{
    /// <summary>The expected source; null: unchanged.</summary>
    public string? Source { get; init; }

    /// <summary>Hook and device of the replies; null: no connection is established before the measurement.</summary>
    public Place? Answers { get; init; }

    /// <summary>The number of flows that take turns: a power of two, or 0 for a new flow in each repetition.</summary>
    public uint Flows { get; init; } = 1;

    /// <summary>The expected destination MAC address; null: not compared.</summary>
    public Abi.MacAddr? Frame { get; init; }

    /// <summary>The difference between result and expectation; null if there is none.</summary>
    public string? Wrong(uint verdict, byte[] packet)
    {
        // TC_ACT_OK and TC_ACT_UNSPEC pass the packet; after the latter the next program runs
        const uint redirect = 7, ok = 0, unspecified = uint.MaxValue;
        var right = Redirects ? verdict == redirect : verdict is ok or unspecified;
        if (!right)
            return $"{Name}: the verdict is {(int)verdict}";
        var flow = Flow.Of(packet);
        if (!Becomes.Contains(flow.Dst) || flow.Dport != Port)
            return $"{Name}: the packet became {flow}";
        if ((Source is not null || Flows == 1) && !flow.Src.Equals(IPAddress.Parse(Source ?? Packet.Src)))
            return $"{Name}: the packet became {flow}";
        return Frame is { } mac && !packet.AsSpan(0, 6).SequenceEqual(mac.ToBytes())
            ? $"{Name}: the frame's destination is {Convert.ToHexString(packet, 0, 6)}"
            : null;
    }
}
