namespace Ebpf.Cni.Kernel.Netlink;

// Attribute numbers, by message: uapi/linux/{netlink,if_link,if_addr,rtnetlink,neighbour,pkt_cls}.h

internal static class AckAttribute
{
    public const ushort Message = 1;
}

internal static class LinkAttribute
{
    public const ushort Mac = 1, Name = 3, Mtu = 4, Peer = 5, Master = 10, Info = 18, Alias = 20, FamilySettings = 26, NamespaceFd = 28,
        PeerNamespaceId = 37;
    public const ushort InfoKind = 1, InfoData = 2;
    public const ushort VethPeer = 1;
    public const ushort VxlanLearning = 7, VxlanPort = 15, VxlanCollectMetadata = 25;

    /// <summary>In <see cref="FamilySettings"/>, which has an attribute for each family, named by its number.</summary>
    public const ushort AddressGenerationMode = 8;
    public const byte GenerateNoAddress = 1;
}

internal static class AddressAttribute
{
    public const ushort Address = 1, Local = 2, Flags = 8;
    public const uint FlagSecondary = 0x01, FlagNoDad = 0x02, FlagDadFailed = 0x08, FlagDeprecated = 0x20, FlagTentative = 0x40,
        FlagPermanent = 0x80,
        FlagNoPrefixRoute = 0x200;
}

internal static class RouteAttribute
{
    public const ushort Destination = 1, Interface = 4, Gateway = 5, Priority = 6, PreferredSource = 7, Metrics = 8, MultiPath = 9,
        Table = 15, Via = 18, NextHopId = 30;
    public const ushort MetricMtu = 2;
}

internal static class NextHopAttribute
{
    public const ushort Id = 1, Group = 2, Interface = 5;
}

/// <summary>NETCONFA_*</summary>
internal static class SettingsAttribute
{
    public const ushort Interface = 1, Forwarding = 2;
}

internal static class NeighbourAttribute
{
    public const ushort Address = 1, Mac = 2;
}

internal static class FilterAttribute
{
    public const ushort Kind = 1, Options = 2;
    public const ushort BpfFd = 6, BpfName = 7, BpfFlags = 8, BpfId = 11;
    public const uint BpfFlagDirectAction = 1;
}

internal static class QdiscAttribute
{
    public const ushort Kind = 1, Options = 2;
    public const ushort BucketParameters = 1, BucketRate64 = 4, BucketBurst = 6;
}
