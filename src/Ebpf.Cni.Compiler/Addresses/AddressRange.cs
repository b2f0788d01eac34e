using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Addresses;

/// <summary>A prefix as the kernel's longest-prefix tables hold it: the length is of the address's own family.</summary>
internal readonly record struct AddressRange(Addr Addr, int Length) : IComparable<AddressRange>
{
    private static readonly UInt128 FirstMapped = AddrNumber.Of(Addr.FromBytes([0, 0, 0, 0]));
    private const int MappedBits = 96;

    public static AddressRange Host(Addr address) => new(address, address.IsIPv4 ? 32 : 128);

    /// <summary>
    /// The range, in pieces if it is one of IPv6 that would hold all of IPv4 in the tables, where IPv4 addresses are mapped
    /// (::ffff:0:0/96): who lets in ::/0 has said nothing about IPv4.
    /// </summary>
    public static void Add(PodCidr range, ICollection<AddressRange> to)
    {
        if (range.IsIPv4 || !(range.First <= FirstMapped && FirstMapped <= range.Last))
        {
            to.Add(new AddressRange(range.Network, range.PrefixLength));
            return;
        }
        // at each bit up to the mapped prefix, the half that does not lead there
        for (var length = range.PrefixLength + 1; length <= MappedBits; length++)
        {
            var bit = UInt128.One << (128 - length);
            var sibling = FirstMapped & (UInt128.MaxValue << (128 - length)) ^ bit;
            to.Add(new AddressRange(AddrNumber.ToAddr(sibling), length));
        }
    }

    public int CompareTo(AddressRange other)
    {
        var c = Addr.CompareTo(other.Addr);
        return c != 0 ? c : Length.CompareTo(other.Length);
    }

    public static bool operator <(AddressRange a, AddressRange b) => a.CompareTo(b) < 0;
    public static bool operator >(AddressRange a, AddressRange b) => a.CompareTo(b) > 0;
    public static bool operator <=(AddressRange a, AddressRange b) => a.CompareTo(b) <= 0;
    public static bool operator >=(AddressRange a, AddressRange b) => a.CompareTo(b) >= 0;
}
