using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Abi;

/// <summary>A 16-bit number in network byte order (<c>__be16</c>). Not assignable from a native one by accident.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public readonly record struct U16Be
{
    private readonly ushort _raw;

    private U16Be(ushort raw) => _raw = raw;

    /// <summary>The number in native order.</summary>
    public ushort Host => BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(_raw) : _raw;

    /// <summary>From a number in native order.</summary>
    public static U16Be FromHost(ushort value) =>
        new(BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(value) : value);

    public override string ToString() => Host.ToString(CultureInfo.InvariantCulture);
}
