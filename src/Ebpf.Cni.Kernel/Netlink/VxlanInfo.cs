using System.Buffers.Binary;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>Settings of a VXLAN device (IFLA_VXLAN_*).</summary>
/// <param name="Port">UDP, where it listens and whereto it sends.</param>
/// <param name="External">
/// External mode: the sender of a packet sets remote address and VNI; it receives for any VNI (IFLA_VXLAN_COLLECT_METADATA).
/// </param>
/// <param name="Learning">It remembers who sent what.</param>
public sealed record VxlanInfo(ushort Port, bool External, bool Learning)
{
    internal const string Kind = "vxlan";

    internal static VxlanInfo Read(ReadOnlySpan<byte> data)
    {
        var info = new VxlanInfo(0, false, false);
        var attributes = new AttributeReader(data);
        while (attributes.Next(out var type, out var value))
        {
            info = type switch
            {
                LinkAttribute.VxlanPort => info with { Port = BinaryPrimitives.ReadUInt16BigEndian(Sized(value, sizeof(ushort))) },
                LinkAttribute.VxlanCollectMetadata => info with { External = Sized(value, sizeof(byte))[0] != 0 },
                LinkAttribute.VxlanLearning => info with { Learning = Sized(value, sizeof(byte))[0] != 0 },
                _ => info,
            };
        }
        return info;
    }

    private static ReadOnlySpan<byte> Sized(ReadOnlySpan<byte> value, int size) => value.Length == size
        ? value
        : throw new NetlinkFormatException($"a setting of a VXLAN device has {value.Length} bytes, not {size}");
}
