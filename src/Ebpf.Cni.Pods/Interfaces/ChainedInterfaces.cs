using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>Interfaces that another plugin made: found and looked at, never changed.</summary>
internal static class ChainedInterfaces
{
    private const string Veth = "veth";

    /// <summary>
    /// The pod's interface, and the node's side of it where it is a veth whose other end is here. A macvlan, an ipvlan or a moved device
    /// has no side that is this pod's alone.
    /// </summary>
    public static (ChainedInterface Host, string PodMac)? Find(string netns, string ifname)
    {
        using var pod = NetworkNamespace.Open(netns);
        using var inside = RouteNetlink.Open(pod);
        if (inside.FindLink(ifname) is not { } link)
            return null;
        var mac = link.Mac.Length == 6 ? MacAddr.FromBytes(link.Mac).ToString() : "";
        using var outside = RouteNetlink.Open();
        // Numbers of interfaces count in a namespace each: both ends must name the other.
        return link is { Kind: Veth, PeerIndex: > 0 } && outside.FindLink(link.PeerIndex) is { Kind: Veth } host
            && host.PeerIndex == link.Index
            ? (new ChainedInterface(host.Name, MacAddr.FromBytes(host.Mac).ToString()) { HostIndex = host.Index }, mac)
            : (new ChainedInterface("", ""), mac);
    }

    /// <summary>
    /// The node's side as it was found, by name and number; null when it is gone, or is another. Where an older agent did not write the
    /// number down, the pod's side tells, if its namespace can still be opened: a living pod must not be taken for dead.
    /// </summary>
    public static HostLink? FindHost(EndpointRecord endpoint)
    {
        var foreign = endpoint.Foreign!;
        if (foreign.HostName.Length == 0)
            return new HostLink(0, endpoint.Key.HostInterface);
        using var netlink = RouteNetlink.Open();
        return netlink.FindLink(foreign.HostName) is { Kind: Veth } link
            && (foreign.HostIndex == 0 ? MayBe(endpoint, link) : foreign.HostIndex == link.Index)
            ? new HostLink(link.Index, endpoint.Key.HostInterface)
            : null;
    }

    public static bool HasPodSide(EndpointRecord endpoint) =>
        Find(endpoint.Netns, endpoint.Ifname) is { } found && found.Host.IsSame(endpoint.Foreign);

    /// <summary>
    /// With what the interface's two sides have now: the number, and MAC addresses, which udev and plugins in the chain change.
    /// </summary>
    public static EndpointRecord Current(EndpointRecord endpoint)
    {
        try
        {
            if (Find(endpoint.Netns, endpoint.Ifname) is { } found && found.Host.IsSame(endpoint.Foreign))
                return found.Host == endpoint.Foreign && found.PodMac == endpoint.Mac
                    ? endpoint : endpoint with { Foreign = found.Host, Mac = found.PodMac };
        }
        catch (KernelException)
        {
            // The namespace cannot be opened by its path any more: the node's side must do.
        }

        using var netlink = RouteNetlink.Open();
        if (netlink.FindLink(endpoint.Foreign!.HostName) is not { Mac.Length: 6 } link || link.Mac.AsSpan().SequenceEqual(endpoint.HostMac))
            return endpoint;
        return endpoint with { Foreign = endpoint.Foreign with { HostMac = MacAddr.FromBytes(link.Mac).ToString() } };
    }

    private static bool MayBe(EndpointRecord endpoint, LinkInfo link)
    {
        if (link.Mac.AsSpan().SequenceEqual(endpoint.HostMac))
            return true;
        try
        {
            return Find(endpoint.Netns, endpoint.Ifname) is { } found && found.Host.HostIndex == link.Index;
        }
        catch (KernelException)
        {
            return link.PeerNamespaceId is not null;
        }
    }
}
