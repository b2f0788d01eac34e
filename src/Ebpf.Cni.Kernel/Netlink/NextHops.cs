using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>
/// Next hop objects ("ip nexthop"). A route that uses one has its interface too, unless net.ipv4.nexthop_compat_mode is 0: then it has only
/// the object's number.
/// </summary>
internal static class NextHops
{
    /// <summary>The interfaces that an object leads to, by itself or as a group; none for one that is not there, or discards.</summary>
    /// <param name="payloads">RTM_NEWNEXTHOP, all of them: a group names its members by number.</param>
    public static IReadOnlyList<int> Interfaces(IEnumerable<byte[]> payloads, uint id)
    {
        var (single, groups) = (new Dictionary<uint, int>(), new Dictionary<uint, uint[]>());
        foreach (var payload in payloads)
        {
            var attributes = AttributeReader.AfterHeader<NextHopHeader>(payload, out _);
            var (number, ifindex, members) = (0u, 0, Array.Empty<uint>());
            while (attributes.Next(out var type, out var value))
            {
                switch (type)
                {
                    case NextHopAttribute.Id:
                        number = AttributeReader.UInt32(value);
                        break;
                    case NextHopAttribute.Interface:
                        ifindex = AttributeReader.Int32(value);
                        break;
                    case NextHopAttribute.Group:
                        members = Members(value);
                        break;
                }
            }

            if (ifindex != 0)
                single[number] = ifindex;
            if (members.Length > 0)
                groups[number] = members;
        }

        // The kernel allows no group in a group.
        return
        [
            .. groups.GetValueOrDefault(id, [id]).Where(single.ContainsKey).Select(member => single[member]).Distinct(),
        ];
    }

    private static uint[] Members(ReadOnlySpan<byte> group) => group.Length % Unsafe.SizeOf<NextHopMember>() == 0
        ? [.. MemoryMarshal.Cast<byte, NextHopMember>(group).ToArray().Select(m => m.Id)]
        : throw new NetlinkFormatException($"a group of next hops has {group.Length} bytes");
}
