namespace Ebpf.Cni.Kernel.Netlink;

/// <summary>A network interface.</summary>
public sealed record LinkInfo(int Index, string Name)
{
    /// <summary>6 bytes for Ethernet; empty or another length for others.</summary>
    public byte[] Mac { get; init; } = [];

    public int Mtu { get; init; }

    /// <summary>Switched on (IFF_UP).</summary>
    public bool Up { get; init; }

    /// <summary>Can carry traffic (IFF_RUNNING): on, and for a veth the peer too.</summary>
    public bool Running { get; init; }

    /// <summary>
    /// Frames on it have an Ethernet header (ARPHRD_ETHER); what carries bare IP packets (tun, WireGuard, PPP) and InfiniBand do not.
    /// </summary>
    public bool Ethernet { get; init; }

    /// <summary>"veth", "bridge", "vxlan"; empty for hardware and loopback.</summary>
    public string Kind { get; init; } = "";

    /// <summary>The bridge or bond it belongs to; 0 for none.</summary>
    public int Master { get; init; }

    /// <summary>
    /// A veth's other end, or the device below; 0 for none. If <see cref="PeerNamespaceId"/> is set it counts in that namespace.
    /// </summary>
    public int PeerIndex { get; init; }

    /// <summary>This namespace's number for the one the peer is in; null if it is this one.</summary>
    public int? PeerNamespaceId { get; init; }

    public string Alias { get; init; } = "";

    /// <summary>No neighbour resolution there (IFF_NOARP).</summary>
    public bool NoArp { get; init; }

    /// <summary>Of a device whose <see cref="Kind"/> is "vxlan".</summary>
    public VxlanInfo? Vxlan { get; init; }

    internal static LinkInfo Read(ReadOnlySpan<byte> payload)
    {
        var attributes = AttributeReader.AfterHeader<LinkHeader>(payload, out var header);
        var link = new LinkInfo(header.Ifindex, "")
        {
            Up = (header.Flags & LinkHeader.FlagUp) != 0,
            Running = (header.Flags & LinkHeader.FlagRunning) != 0,
            Ethernet = header.DeviceType == LinkHeader.TypeEthernet,
            NoArp = (header.Flags & LinkHeader.FlagNoArp) != 0,
        };
        while (attributes.Next(out var type, out var value))
        {
            link = type switch
            {
                LinkAttribute.Mac => link with { Mac = value.ToArray() },
                LinkAttribute.Name => link with { Name = AttributeReader.Text(value) },
                LinkAttribute.Mtu => link with { Mtu = AttributeReader.Int32(value) },
                LinkAttribute.Peer => link with { PeerIndex = AttributeReader.Int32(value) },
                LinkAttribute.Master => link with { Master = AttributeReader.Int32(value) },
                LinkAttribute.Alias => link with { Alias = AttributeReader.Text(value) },
                LinkAttribute.PeerNamespaceId => link with { PeerNamespaceId = AttributeReader.Int32(value) },
                LinkAttribute.Info => ReadKind(link, value),
                _ => link,
            };
        }
        return link;
    }

    private static LinkInfo ReadKind(LinkInfo link, ReadOnlySpan<byte> info)
    {
        var attributes = new AttributeReader(info);
        while (attributes.Next(out var type, out var value))
        {
            // the kernel puts the kind before what only the kind explains
            if (type == LinkAttribute.InfoKind)
                link = link with { Kind = AttributeReader.Text(value) };
            else if (type == LinkAttribute.InfoData && link.Kind == VxlanInfo.Kind)
                link = link with { Vxlan = VxlanInfo.Read(value) };
        }
        return link;
    }
}
