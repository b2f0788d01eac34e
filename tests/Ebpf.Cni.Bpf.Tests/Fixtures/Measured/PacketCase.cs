using System.Net;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>A packet whose program is measured, and what the program must do with it: what is not as it should be would be measured in vain.</summary>
/// <param name="Name">Unique.</param>
/// <param name="Enters">Where the packet meets the program.</param>
/// <param name="Packet">Of a connection that is established, or else its first one.</param>
/// <param name="Redirects">The program sends it on; otherwise it lets it pass.</param>
/// <param name="Becomes">Where it goes to: one address, or one of several.</param>
/// <param name="Port">Where it goes to.</param>
internal sealed record PacketCase(string Name, Place Enters, Packet Packet, bool Redirects, IPNetwork Becomes, ushort Port)
{
    /// <summary>The source that the packet gets; null: it keeps its own.</summary>
    public string? Source { get; init; }

    /// <summary>Where its answers meet a program; null: no connection is made first.</summary>
    public Place? Answers { get; init; }

    /// <summary>Flows that take turns: a power of two, or 0 for a new one each time.</summary>
    public uint Flows { get; init; } = 1;

    /// <summary>The destination of the frame that the program writes; null where it writes none.</summary>
    public Abi.MacAddr? Frame { get; init; }

    /// <summary>Null: the program did what the case says.</summary>
    public string? Wrong(uint verdict, byte[] packet)
    {
        // both let a packet pass: TC_ACT_OK, and TC_ACT_UNSPEC, after which other programs are asked
        const uint redirect = 7, ok = 0, unspecified = uint.MaxValue;
        var right = Redirects ? verdict == redirect : verdict is ok or unspecified;
        if (!right)
            return $"{Name}: the verdict is {(int)verdict}";
        var flow = Flow.Of(packet);
        if (!Becomes.Contains(flow.Dst) || flow.Dport != Port)
            return $"{Name}: the packet became {flow}";
        if (Source is not null ? !flow.Src.Equals(IPAddress.Parse(Source)) : Flows == 1 && !flow.Src.Equals(IPAddress.Parse(Packet.Src)))
            return $"{Name}: the packet became {flow}";
        return Frame is { } mac && !packet.AsSpan(0, 6).SequenceEqual(mac.ToBytes()) ? $"{Name}: the frame is for {Convert.ToHexString(packet, 0, 6)}" : null;
    }
}
