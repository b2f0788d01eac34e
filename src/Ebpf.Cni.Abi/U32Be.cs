using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary>A 32-bit number in network byte order (<c>__be32</c>). Not assignable from a native one by accident.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct U32Be
{
    private readonly uint _raw;

    private U32Be(uint raw) => _raw = raw;

    /// <summary>The number in native order.</summary>
    public uint Host => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(_raw) : _raw;

    /// <summary>From a number in native order.</summary>
    public static U32Be FromHost(uint value) =>
        new(BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public override string ToString() => Host.ToString(CultureInfo.InvariantCulture);
}
