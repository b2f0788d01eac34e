using System.Buffers.Binary;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>The 5-tuple of a TCP or UDP packet without IP options, read from its bytes.</summary>
internal sealed record Flow(IPAddress Src, ushort Sport, IPAddress Dst, ushort Dport, IpProtocol Protocol)
{
    private const int EthernetHeader = 14;

    public static Flow Of(ReadOnlySpan<byte> frame)
    {
        var ip = frame[EthernetHeader..];
        var v6 = ip[0] >> 4 == 6;
        var (addresses, bytes, ports) = v6 ? (8, 16, 40) : (12, 4, 20);
        return new Flow(
            new IPAddress(ip.Slice(addresses, bytes)), BinaryPrimitives.ReadUInt16BigEndian(ip[ports..]),
            new IPAddress(ip.Slice(addresses + bytes, bytes)), BinaryPrimitives.ReadUInt16BigEndian(ip[(ports + 2)..]),
            (IpProtocol)ip[v6 ? 6 : 9]);
    }

    /// <summary>A packet of the reverse direction.</summary>
    public Packet Answer(Place enters, TcpFlags flags) => new()
    {
        SrcMac = enters.Src,
        DstMac = enters.Dst,
        Src = Dst.ToString(),
        Dst = Src.ToString(),
        Sport = Dport,
        Dport = Sport,
        Protocol = Protocol,
        Flags = flags,
    };

    public override string ToString() => $"{Protocol} {new IPEndPoint(Src, Sport)} > {new IPEndPoint(Dst, Dport)}";
}
