using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Tables;

/// <summary>Prefixes in the tries, where an IPv4 prefix is one of the mapped addresses.</summary>
internal static class AddrPrefix
{
    private const int MappedBits = 96, Bits = 128;

    /// <summary>Bits of the 16 bytes that a prefix of <paramref name="length"/> bits of the address's own family has.</summary>
    public static uint Length(in Addr address, int length) => (uint)(address.IsIPv4 ? MappedBits + length : length);

    /// <summary>
    /// The address with all bits behind the first <paramref name="bits"/> of its 16 bytes 0: a trie looks at no others, so that two keys
    /// which differ there are one entry.
    /// </summary>
    public static Addr Mask(in Addr address, uint bits)
    {
        Span<byte> bytes = stackalloc byte[Bits / 8];
        address.CopyTo(bytes);
        for (var i = 0; i < bytes.Length; i++)
        {
            var kept = Math.Clamp((int)Math.Min(bits, Bits) - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xff00 >> kept);
        }
        return Addr.FromBytes(bytes);
    }
}
