using System.Buffers.Binary;

namespace Ebpf.Cni.Sandbox.Api.Streaming.Spdy;

/// <summary>
/// Header blocks to send, which are not compressed: stored blocks are valid in a compressed stream, and answers have no headers.
/// </summary>
internal static class HeaderBlock
{
    private static readonly byte[] Begin = [0x78, 0x01];
    private static readonly byte[] Flush = [0, 0, 0, 0xff, 0xff]; // an empty stored block: readers hand out what they have
    private static readonly byte[] NoPairs = [0, 0, 0, 0];

    /// <summary>A block without headers; <paramref name="first"/> on a connection it begins the compressed stream.</summary>
    public static byte[] Empty(bool first) => [.. first ? Begin : [], .. Stored(NoPairs), .. Flush];

    /// <summary>Bytes as a block of a deflate stream that is not compressed and not the last one (RFC 1951, 3.2.4).</summary>
    public static byte[] Stored(ReadOnlySpan<byte> bytes)
    {
        var block = new byte[bytes.Length + 5];
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(1), (ushort)bytes.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(block.AsSpan(3), (ushort)~bytes.Length);
        bytes.CopyTo(block.AsSpan(5));
        return block;
    }
}
