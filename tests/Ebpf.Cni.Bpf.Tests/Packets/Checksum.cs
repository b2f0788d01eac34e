using System.Buffers.Binary;

namespace Ebpf.Cni.Bpf.Tests.Packets;

/// <summary>The Internet checksum (RFC 1071), computed over whole packets: independent of how the programs update it.</summary>
internal static class Checksum
{
    public static uint Sum(ReadOnlySpan<byte> bytes, uint sum = 0)
    {
        for (var i = 0; i + 1 < bytes.Length; i += 2)
            sum += BinaryPrimitives.ReadUInt16BigEndian(bytes[i..]);
        if ((bytes.Length & 1) != 0)
            sum += (uint)bytes[^1] << 8;
        while (sum > 0xffff)
            sum = (sum & 0xffff) + (sum >> 16);
        return sum;
    }

    public static ushort Of(ReadOnlySpan<byte> bytes, uint sum = 0) => (ushort)~Sum(bytes, sum);
}
