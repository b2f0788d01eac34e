using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Bpf.Tests.Packets;

/// <summary>A kind of ICMP error. Rest is what follows the checksum: the MTU, the pointer to a bad parameter.</summary>
internal sealed record IcmpKind(bool V6, byte Type, byte Code, uint Rest)
{
    public static readonly IcmpKind[] All =
    [
        new(false, 3, 0, 0), new(false, 3, 1, 0), new(false, 3, 3, 0), new(false, 3, 4, 1400), new(false, 3, 13, 0), new(false, 11, 0, 0),
        new(false, 12, 0, 0x14000000),
        new(true, 1, 0, 0), new(true, 1, 1, 0), new(true, 1, 4, 0), new(true, 2, 0, 1400), new(true, 3, 0, 0), new(true, 4, 1, 40),
    ];

    public static IcmpKind PortUnreachable(bool v6) => v6 ? All[9] : All[2];

    /// <summary>The error that <paramref name="from"/> sends about a packet, quoting its first bytes from the IP header on.</summary>
    public Packet About(Packet packet, string from, int quote = int.MaxValue)
    {
        var bytes = packet.Bytes()[14..];
        return new Packet
        {
            SrcMac = Macs.Gateway, DstMac = Macs.Client, Src = from, Dst = packet.Src, Protocol = V6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp,
            IcmpType = Type, IcmpCode = Code, IcmpRest = Rest, Payload = bytes[..Math.Min(bytes.Length, quote)],
        };
    }
}
