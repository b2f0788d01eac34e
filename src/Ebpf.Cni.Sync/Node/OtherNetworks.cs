using System.Text.RegularExpressions;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Sync.Node;

/// <summary>What a device is to the node that no default route and no InternalIP is on.</summary>
internal enum NetworkKind
{
    /// <summary>It leads nowhere, or to containers and other plugins' pods only.</summary>
    None,

    /// <summary>To a network beside that of the default route: storage, a VLAN for load balancers.</summary>
    Outside,

    /// <summary>It may lead outside or to containers.</summary>
    Doubtful,

    /// <summary>Outside, but it has no Ethernet frames: a VPN.</summary>
    WithoutEthernet,
}

/// <summary>
/// Which devices lead to networks beside that of the default route. Traffic of pods that leaves by them must be masqueraded, and what comes
/// by them for a service must be served, as rules of iptables do it, which name no device. Bridges of containers and virtual machines, and
/// the devices of other plugins, are not such. Pure.
/// </summary>
internal static partial class OtherNetworks
{
    public static NetworkKind Of(NodeNetworkState state, LinkInfo link)
    {
        if (!link.Up || IsPlugins().IsMatch(link.Name))
            return NetworkKind.None;
        var addresses = state.Addresses.Where(a => a.Ifindex == link.Index && NodeAddressing.IsPublic(a.Address)).ToList();
        if (addresses.Count == 0)
            return NetworkKind.None;
        if (!link.Ethernet)
            return link.Kind is "vrf" ? NetworkKind.None : NetworkKind.WithoutEthernet;
        // A single address without a route to a network is a gateway for one container, or a service's.
        if (!state.RoutedDevices.Contains(link.Index)
            && addresses.TrueForAll(a => a.PrefixLength == a.Address.GetAddressBytes().Length * 8))
            return NetworkKind.None;
        if (state.Links.Any(l => l.Index == link.Master && l.Kind is "bond" or "team" or "bridge"))
            return NetworkKind.None;
        return link.Kind switch
        {
            "" or "bond" or "team" or "vlan" or "macvlan" or "ipvlan" => NetworkKind.Outside,
            "bridge" => Bridge(state, link),
            // A node that is a container or a namespace itself has veths for network cards. So has a container on this node.
            "veth" => link.PeerNamespaceId is null ? NetworkKind.None : IsContainers().IsMatch(link.Name)
                ? NetworkKind.Doubtful : NetworkKind.Outside,
            "dummy" or "ifb" or "nlmon" or "vrf" => NetworkKind.None,
            _ => NetworkKind.Doubtful,
        };
    }

    /// <summary>
    /// What the device is depends on whether routes lead to networks by it
    /// (<see cref="NodeNetworkState.RoutedDevices"/>), which is much to ask where there are many.
    /// </summary>
    public static bool AsksForRoutes(NodeNetworkState state, LinkInfo link) =>
        Of(state with { RoutedDevices = [] }, link) != Of(state with { RoutedDevices = [link.Index] }, link);

    /// <summary>
    /// A bridge that holds a network card is that card's; one with nothing but ends of containers and machines is theirs.
    /// </summary>
    private static NetworkKind Bridge(NodeNetworkState state, LinkInfo bridge)
    {
        var members = state.Links.Where(l => l.Master == bridge.Index).ToList();
        if (members.Exists(m => m.Kind is "" or "bond" or "team" or "vlan"))
            return NetworkKind.Outside;
        return members.TrueForAll(m => m.Kind is "veth" or "tun" or "dummy") ? NetworkKind.None : NetworkKind.Doubtful;
    }

    /// <summary>Names that runtimes give to the ends of containers: systemd-nspawn, LXC, Docker and others.</summary>
    [GeneratedRegex("^(veth|ve-|vb-|vz-|lxc|tap|vnet|macvtap)")]
    private static partial Regex IsContainers();

    /// <summary>Devices of network plugins, of NodeLocal DNSCache and of Docker, which lead to pods and containers, or nowhere.</summary>
    [GeneratedRegex("^(lo$|docker|br-[0-9a-f]{12}$|cni|cbr|podman|virbr|lxcbr|lxdbr|incusbr|kube-|nodelocaldns$|flannel|cilium|lxc_|cali|vxlan\\.calico|wireguard\\.cali|wg-v6\\.cali|tunl0$|weave|antrea-|ovn|genev_|azv|eni[0-9a-f]{8,}$|gw_bridge|docker_gwbridge)")]
    private static partial Regex IsPlugins();
}
