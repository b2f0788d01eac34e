using System.Buffers.Binary;
using System.Net;

namespace Ebpf.Cni.Bpf.Tests.Packets;

/// <summary>The fields of a frame that tests ask for; its IP header has neither options nor extension headers.</summary>
internal static class Frame
{
    public static string Source(byte[] frame) => Address(frame, first: true);

    public static string Destination(byte[] frame) => Address(frame, first: false);

    public static ushort Sport(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(Transport(frame)));

    public static ushort Dport(byte[] frame) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(Transport(frame) + 2));

    /// <summary>From whom to whom, ports included.</summary>
    public static string Tuple(byte[] frame) => $"{Source(frame)}:{Sport(frame)} > {Destination(frame)}:{Dport(frame)}";

    /// <summary>An ICMP error's type, code and MTU; null for any other frame.</summary>
    public static (byte Type, byte Code, ushort Mtu)? IcmpError(byte[] frame)
    {
        var at = Transport(frame);
        var error = Anatomy.Of(frame) is { IsError: true };
        return error ? (frame[at], frame[at + 1], BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(at + 6))) : null;
    }

    /// <summary>The same that may be cut in pieces on its way (IPv4).</summary>
    public static byte[] MayBeCut(byte[] frame)
    {
        var cut = (byte[])frame.Clone();
        cut[20] &= 0xbf;
        cut[24] = cut[25] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(cut.AsSpan(24), Checksum.Of(cut.AsSpan(14, 20)));
        return cut;
    }

    private static bool V6(byte[] frame) => frame[12] == 0x86;

    private static int Transport(byte[] frame) => V6(frame) ? 54 : 34;

    private static string Address(byte[] frame, bool first)
    {
        var size = V6(frame) ? 16 : 4;
        return new IPAddress(frame.AsSpan((V6(frame) ? 22 : 26) + (first ? 0 : size), size)).ToString();
    }
}
