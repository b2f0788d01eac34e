using System.Net;

namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>An address of an interface.</summary>
/// <param name="PrefixLength">Bits of the network the address belongs to.</param>
public sealed record AddressInfo(int Ifindex, IPAddress Address, int PrefixLength)
{
    /// <summary>Without a lifetime.</summary>
    public bool Permanent { get; init; }

    /// <summary>IPv6: not usable yet, duplicate address detection is running.</summary>
    public bool Tentative { get; init; }

    /// <summary>IPv6: duplicate address detection failed; never usable.</summary>
    public bool Duplicate { get; init; }

    /// <summary>Its preferred lifetime is over: new connections should use another.</summary>
    public bool Deprecated { get; init; }

    /// <summary>IPv4: another address of the same network is the primary one. IPv6: a temporary address (privacy extensions).</summary>
    public bool Secondary { get; init; }

    /// <summary>Universe for what others can reach; Link, Host.</summary>
    public RouteScope Scope { get; init; }

    /// <returns>Null for a family that is not IP.</returns>
    internal static AddressInfo? Read(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<AddressHeader>(payload, out var header);
        if (!AddressFamilies.IsIp(header.Family))
            return null;
        IPAddress? address = null, local = null;
        uint flags = header.Flags;
        while (attributes.Next(out var type, out var value))
        {
            switch (type)
            {
                case AddressAttribute.Address:
                    address = AttributeReader.Address(value, header.Family);
                    break;
                case AddressAttribute.Local:
                    local = AttributeReader.Address(value, header.Family);
                    break;
                case AddressAttribute.Flags:
                    flags = AttributeReader.UInt32(value);
                    break;
            }
        }
        // on point-to-point interfaces "address" is the other end
        var own = local ?? address ?? throw new NetlinkFormatException("an address message without an address");
        return new AddressInfo(header.Ifindex, own, header.PrefixLength)
        {
            Permanent = (flags & AddressAttribute.FlagPermanent) != 0,
            Tentative = (flags & AddressAttribute.FlagTentative) != 0,
            Duplicate = (flags & AddressAttribute.FlagDadFailed) != 0,
            Deprecated = (flags & AddressAttribute.FlagDeprecated) != 0,
            Secondary = (flags & AddressAttribute.FlagSecondary) != 0,
            Scope = (RouteScope)header.Scope,
        };
    }
}
