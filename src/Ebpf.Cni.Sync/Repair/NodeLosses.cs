using System.Globalization;
using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Repair;

/// <summary>
/// Which of the kernel's events are about something that was taken from the node's pods or from the routes to other nodes'
/// pods. What the agent itself removes, with a pod or a peer that goes, is none: that is known a moment later. Thread-safe.
/// </summary>
/// <param name="devices">Pods' devices, addresses and MAC addresses.</param>
/// <param name="node">The tunnel's device and the uplinks.</param>
/// <param name="isPeers">Whether a destination is that of a route to another node's pods.</param>
public sealed class NodeLosses(PodDevices devices, NodeState node, Func<IPNetwork, bool> isPeers)
{
    /// <summary>More are as good as everything.</summary>
    private const int MostKept = 256;

    private readonly Lock _lock = new();
    private List<NetworkEvent> _noted = [];

    /// <summary>The netlink events to subscribe to.</summary>
    public static NetworkSubscription Subscription { get; } = new()
    {
        Routes = RouteEvents.OfProtocol | RouteEvents.Replacements,
        Protocol = PodWiring.RouteProtocol,
        NextHops = false,
        NeighboursAndSettings = true,
        Arrivals = false,
    };

    /// <summary>Whether this may be a loss; then it is kept.</summary>
    public bool Note(NetworkEvent noted)
    {
        if (!IsLoss(noted))
            return false;
        lock (_lock)
        {
            if (_noted.Count < MostKept)
                _noted.Add(noted);
            else
                _noted[^1] = default;
        }

        return true;
    }

    /// <summary>What was noted since this was asked last and still is a loss.</summary>
    /// <param name="isThere">
    /// Whether an interface still exists: asked of pods' that lost something, since they lose all when they go.
    /// </param>
    public IReadOnlyList<NetworkEvent> Take(Func<int, bool> isThere)
    {
        List<NetworkEvent> noted;
        lock (_lock)
            (noted, _noted) = (_noted, []);
        var gone = noted.Select(t => t.Ifindex).Distinct().Where(i => devices.Contains(i) && !isThere(i)).ToHashSet();
        // Judged last: a pod whose DEL ends meanwhile has no device any more, and nothing that could be lost.
        return noted.FindAll(t => !gone.Contains(t.Ifindex) && IsLoss(t));
    }

    /// <summary>
    /// Whether another program took it away from this agent. An uplink that comes and goes (with the routes that the kernel removes then),
    /// or hands on an address, is the network's business or the operator's. Messages that the kernel dropped say nothing of who it was.
    /// </summary>
    public bool IsTaken(NetworkEvent loss) => loss.Kind switch
    {
        NetworkEventKind.Lost => false,
        NetworkEventKind.AddressGone => IsTunnel(loss.Ifindex),
        NetworkEventKind.LinkSet => !IsUplink(loss.Ifindex),
        NetworkEventKind.RouteGone => loss.Requester != 0 || !IsUplink(loss.Ifindex),
        _ => true,
    };

    /// <summary>For people: "the route to 10.244.1.0/24 was replaced by one of protocol 12 (bird), by netlink port 812".</summary>
    public static string Text(NetworkEvent loss)
    {
        var what = loss.Kind switch
        {
            NetworkEventKind.RouteGone => $"the route to {loss.Destination} was deleted",
            NetworkEventKind.RouteSet => $"the route to {loss.Destination} was replaced by one of protocol {ProtocolName(loss.Protocol)}",
            NetworkEventKind.NeighbourGone => $"the neighbour {loss.Address} was deleted",
            NetworkEventKind.NeighbourSet => $"the neighbour {loss.Address} was changed",
            NetworkEventKind.AddressGone => $"the address {loss.Address} was deleted",
            NetworkEventKind.LinkSet when loss.WentDown => $"{loss.Name} was set down",
            NetworkEventKind.LinkSet => $"{loss.Name} was changed",
            NetworkEventKind.LinkGone => $"{loss.Name} was deleted",
            NetworkEventKind.Setting => "forwarding was disabled",
            _ => $"{loss.Kind}",
        };
        return loss.Requester == 0 ? what : string.Create(CultureInfo.InvariantCulture, $"{what}, by netlink port {loss.Requester}");
    }

    private bool IsLoss(NetworkEvent noted) => noted.Kind switch
    {
        NetworkEventKind.Lost => true,
        NetworkEventKind.RouteGone => noted.Table == Kernel.Netlink.Route.MainTable && noted.Protocol == PodWiring.RouteProtocol
            && IsOurs(noted.Destination),
        NetworkEventKind.RouteSet => noted.Table == Kernel.Netlink.Route.MainTable && noted.Replaces
            && noted.Protocol != PodWiring.RouteProtocol && IsOurs(noted.Destination),
        NetworkEventKind.NeighbourGone => devices.Contains(noted.Ifindex, noted.Address),
        NetworkEventKind.NeighbourSet => !noted.Permanent && devices.Contains(noted.Ifindex, noted.Address),
        NetworkEventKind.AddressGone => IsTunnel(noted.Ifindex) || IsUplink(noted.Ifindex),
        NetworkEventKind.LinkSet => IsTunnel(noted.Ifindex) || devices.HasOtherMac(noted.Ifindex, noted.Mac)
            || (noted.WentDown && (devices.Contains(noted.Ifindex) || IsUplink(noted.Ifindex))),
        NetworkEventKind.LinkGone => IsTunnel(noted.Ifindex),
        NetworkEventKind.Setting => noted.ForwardingOff && IsNodes(noted.OfIPv6)
            && (noted.Ifindex == NetworkEvent.AllInterfaces || devices.Contains(noted.Ifindex) || IsTunnel(noted.Ifindex)),
        _ => false,
    };

    private bool IsOurs(IPNetwork destination) => devices.Contains(destination) || isPeers(destination);

    /// <summary>
    /// The node has addresses of the family. (Every new interface says of IPv6 that it does not forward where that is the default.)
    /// </summary>
    private bool IsNodes(bool v6) => node.Seen.View is not { } view || (v6 ? view.Network.V6 : view.Network.V4) is not null;

    private bool IsTunnel(int ifindex) => ifindex > 0 && ifindex == node.Seen.NetworkState.TunnelDevice;

    /// <summary>
    /// IPv4 routes go in silence when their device is switched off, or loses its last address, and do not come back with it.
    /// </summary>
    private bool IsUplink(int ifindex) => node.Seen.View is { } view && view.Network.Main.Contains(ifindex);

    /// <summary>As iproute2 names them (rt_protos).</summary>
    private static string ProtocolName(byte protocol)
    {
        var name = protocol switch
        {
            2 => "kernel",
            3 => "boot",
            4 => "static",
            9 => "ra",
            11 => "zebra",
            12 => "bird",
            16 => "dhcp",
            42 => "babel",
            186 => "bgp",
            187 => "isis",
            188 => "ospf",
            189 => "rip",
            _ => "",
        };
        return name.Length == 0
            ? protocol.ToString(CultureInfo.InvariantCulture)
            : string.Create(CultureInfo.InvariantCulture, $"{protocol} ({name})");
    }
}
