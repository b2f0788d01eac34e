using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Interfaces, each once, in the kernel's order; equal by content.</summary>
public sealed record InterfaceSet(ImmutableArray<int> Ifindexes)
{
    public bool Equals(InterfaceSet? other) => other is not null && Ifindexes.SequenceEqual(other.Ifindexes);

    public override int GetHashCode() => Ifindexes.Length == 0 ? 0 : HashCode.Combine(Ifindexes.Length, Ifindexes[0]);

    public override string ToString() => string.Join(", ", Ifindexes);

    /// <summary>RTA_MULTIPATH: a list of struct rtnexthop, each with attributes of its own.</summary>
    internal static InterfaceSet ReadHops(ReadOnlySpan<byte> value)
    {
        var found = ImmutableArray.CreateBuilder<int>();
        while (!value.IsEmpty)
        {
            var size = Unsafe.SizeOf<NextHopEntry>();
            var hop = value.Length >= size ? MemoryMarshal.Read<NextHopEntry>(value) : default;
            if (hop.Length < size || hop.Length > value.Length)
                throw new NetlinkFormatException($"a next hop claims {hop.Length} of {value.Length} bytes");
            if (!found.Contains(hop.Ifindex))
                found.Add(hop.Ifindex);
            value = value[Math.Min((hop.Length + 3) & ~3, value.Length)..];
        }

        return new InterfaceSet(found.ToImmutable());
    }
}
