using System.Buffers.Binary;
using System.Net;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>
/// Ethernet frames, byte by byte, for who sends past its own stack. All end in the bytes given last, whatever the protocol makes of them.
/// </summary>
internal static class Frames
{
    public static readonly byte[] Broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

    /// <summary>A UDP datagram; of IPv4 without, of IPv6 with a wrong checksum: it is looked for on the wire.</summary>
    public static byte[] Udp(byte[] from, byte[] to, string source, string destination, byte[] last)
    {
        var (src, dst) = (IPAddress.Parse(source).GetAddressBytes(), IPAddress.Parse(destination).GetAddressBytes());
        byte[] udp = [0x9c, 0x40, 0x27, 0x0f, .. Short(8 + last.Length), 0, (byte)(src.Length == 4 ? 0 : 1), .. last];
        if (src.Length == 16)
            return [.. to, .. from, 0x86, 0xdd, 0x60, 0, 0, 0, .. Short(udp.Length), 17, 64, .. src, .. dst, .. udp];
        byte[] ip = [0x45, 0, .. Short(20 + udp.Length), 0, 1, 0, 0, 64, 17, 0, 0, .. src, .. dst];
        BinaryPrimitives.WriteUInt16BigEndian(ip.AsSpan(10), Checksum(ip));
        return [.. to, .. from, 8, 0, .. ip, .. udp];
    }

    /// <summary>"sender is at from": as a question for target (1) or an answer (2).</summary>
    public static byte[] Arp(byte operation, byte[] from, byte[] to, string sender, string target, byte[] last) =>
    [
        .. to, .. from, 8, 6, 0, 1, 8, 0, 6, 4, 0, operation, .. from, .. IPAddress.Parse(sender).GetAddressBytes(), .. to,
        .. IPAddress.Parse(target).GetAddressBytes(), .. last,
    ];

    /// <summary>"claimed is at from", solicited and overriding (RFC 4861 4.4).</summary>
    public static byte[] Advertisement(byte[] from, byte[] to, string source, string destination, string claimed, byte[] last)
    {
        var (src, dst) = (IPAddress.Parse(source).GetAddressBytes(), IPAddress.Parse(destination).GetAddressBytes());
        byte[] icmp = [136, 0, 0, 0, 0x60, 0, 0, 0, .. IPAddress.Parse(claimed).GetAddressBytes(), 2, 1, .. from];
        BinaryPrimitives.WriteUInt16BigEndian(icmp.AsSpan(2),
            Checksum([.. src, .. dst, 0, 0, .. Short(icmp.Length), 0, 0, 0, 58, .. icmp]));
        return [.. to, .. from, 0x86, 0xdd, 0x60, 0, 0, 0, .. Short(icmp.Length), 58, 255, .. src, .. dst, .. icmp, .. last];
    }

    private static byte[] Short(int value) => [(byte)(value >> 8), (byte)value];

    private static ushort Checksum(ReadOnlySpan<byte> data)
    {
        var sum = 0u;
        for (; data.Length > 1; data = data[2..])
            sum += BinaryPrimitives.ReadUInt16BigEndian(data);
        if (data.Length > 0)
            sum += (uint)(data[0] << 8);
        while (sum >> 16 != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }
}
