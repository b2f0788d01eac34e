using System.Buffers.Binary;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Addresses;

/// <summary>An address as one 128-bit number in the mapped form, for arithmetic and prefixes.</summary>
internal static class AddrNumber
{
    public static UInt128 Of(Addr address) => new(
        (ulong)address.W0.Host << 32 | address.W1.Host,
        (ulong)address.W2.Host << 32 | address.W3.Host);

    public static Addr ToAddr(UInt128 number)
    {
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, number);
        return Addr.FromBytes(bytes);
    }
}
