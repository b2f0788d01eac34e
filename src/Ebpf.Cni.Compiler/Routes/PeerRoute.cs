using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Routes;

/// <summary>
/// How pods of one family reach another node, its pods and its own addresses: by a gateway or through the tunnel, or not at all.
/// </summary>
/// <param name="Gateway">The peer itself, on a shared layer 2. It may be an IPv6 address for IPv4 (RFC 5549).</param>
/// <param name="Tunnel">The peer's address to which tunnelled packets are sent.</param>
/// <param name="Reason">Of the issue, when there is no route.</param>
/// <param name="Cause">In words.</param>
internal readonly record struct PeerRoute(Addr? Gateway, Addr? Tunnel, string? Reason = null, string? Cause = null)
{
    /// <param name="context">This node.</param>
    /// <param name="own">This node's InternalIPs.</param>
    /// <param name="peer">The other's name.</param>
    /// <param name="addresses">Its InternalIPs, in the API's order.</param>
    /// <param name="ipv4">The pods' family.</param>
    public static PeerRoute Of(NodeContext context, List<Addr> own, string peer, List<Addr> addresses, bool ipv4)
    {
        var routing = context.Routing;
        if (routing.Mode == RoutingMode.None)
            return default;
        if (addresses.Count == 0)
            return new PeerRoute(null, null, IssueReason.NodeAddressMissing, "the node has no InternalIP");
        if (addresses.Find(own.Contains) is var taken && own.Contains(taken))
            return new PeerRoute(null, null, IssueReason.NodeAddressConflict, $"InternalIP {taken} is this node's own");
        if (routing.Mode != RoutingMode.Tunnel && OnLink(routing, own, addresses, ipv4) is { } gateway)
            return new PeerRoute(gateway, null);
        if (routing.Mode == RoutingMode.Direct)
            return new PeerRoute(null, null, IssueReason.NodeNotOnLink,
                $"no InternalIP of the node is a usable {(ipv4 ? "IPv4" : "IPv6")} next hop on a network of this node, "
                + "and the routing option (direct) excludes tunnels");
        if (Underlay(context, own, peer, addresses) is { } tunnel)
            return new PeerRoute(null, tunnel);
        return new PeerRoute(null, null, IssueReason.NodeAddressMissing, routing.Underlay == TunnelUnderlay.Auto
            ? "the node and this node have no InternalIPs of a common family"
            : $"the node or this node has no {(routing.Underlay == TunnelUnderlay.IPv4 ? "IPv4" : "IPv6")} InternalIP, "
                + "which the tunnel-underlay option requires");
    }

    /// <summary>The first of the pods' family; IPv4 may use an IPv6 next hop, IPv6 no IPv4 one.</summary>
    private static Addr? OnLink(RoutingContext routing, List<Addr> own, List<Addr> addresses, bool ipv4)
    {
        foreach (var family in ipv4 ? [true, false] : new[] { false })
            foreach (var address in addresses)
                if (address.IsIPv4 == family && IsOnLink(routing, own, address))
                    return address;
        return null;
    }

    /// <summary>
    /// In a network in which the peer finds this node, too: an InternalIP of ours is in it. Else one would tunnel and the other not.
    /// </summary>
    private static bool IsOnLink(RoutingContext routing, List<Addr> own, Addr address)
    {
        IPAddress? asked = null;
        foreach (var network in routing.OnLink.IsDefault ? [] : routing.OnLink)
            if (network.Contains(asked ??= address.ToIPAddress()) && (own.Count == 0 || own.Exists(o => network.Contains(o.ToIPAddress()))))
                return true;
        return false;
    }

    /// <summary>
    /// Both ends must choose the same family, since each takes tunnelled packets only from the address to which it would send: so it is the
    /// first in the list of the node that is first by name, of those that the other has, too.
    /// </summary>
    private static Addr? Underlay(NodeContext context, List<Addr> own, string peer, List<Addr> addresses)
    {
        if (context.Routing.Underlay != TunnelUnderlay.Auto)
        {
            var ipv4 = context.Routing.Underlay == TunnelUnderlay.IPv4;
            return own.Count == 0 || First(own, ipv4) is not null ? First(addresses, ipv4) : null;
        }
        if (own.Count == 0)
            return addresses[0];
        var (decides, other) = string.CompareOrdinal(context.NodeName, peer) < 0 ? (own, addresses) : (addresses, own);
        foreach (var address in decides)
            if (First(other, address.IsIPv4) is not null)
                return First(addresses, address.IsIPv4);
        return null;
    }

    private static Addr? First(List<Addr> addresses, bool ipv4)
    {
        foreach (var address in addresses)
            if (address.IsIPv4 == ipv4)
                return address;
        return null;
    }
}
