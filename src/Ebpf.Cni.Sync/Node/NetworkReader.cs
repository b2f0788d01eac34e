using System.Collections.Immutable;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Interfaces;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// Reads the node's network, and again only the parts of it that the kernel's events say may have
/// changed: pods' devices come and go all the time, and a routing daemon's hundred thousand routes
/// say nothing about uplinks. Events may come on another thread than reads; one reads at a time.
/// </summary>
internal sealed class NetworkReader
{
    [Flags]
    private enum Parts
    {
        None = 0,

        /// <summary>Links and their addresses.</summary>
        Devices = 1,
        DefaultRoutes = 2,

        /// <summary>Which of the doubtful devices lead to networks.</summary>
        Networks = 4,
        All = Devices | DefaultRoutes | Networks,
    }

    private readonly Lock _lock = new();
    private Parts _stale = Parts.All;

    /// <summary>Pods' devices, by index.</summary>
    private HashSet<int> _pods = [];

    /// <summary>
    /// Devices of default routes and to networks: routes of IPv4 go in silence when one of them is switched off or loses an address.
    /// </summary>
    private HashSet<int> _carriers = [];

    /// <summary>Devices of which it matters whether they lead to a network, and whether they do.</summary>
    private ImmutableSortedDictionary<int, bool> _doubtful = ImmutableSortedDictionary<int, bool>.Empty;

    private NodeNetworkState _state = NodeNetworkState.None;
    private IReadOnlyList<(KernelRoute Route, IReadOnlyList<int> Devices)> _defaults = [];
    private NetworkSubscription _subscription = new() { Routes = RouteEvents.Defaults, NextHops = false };

    /// <summary>The first netlink subscription; <see cref="Read"/> changes it as it must.</summary>
    public NetworkSubscription Subscription => _subscription;

    /// <summary>How often devices, and how often default routes, were read.</summary>
    public (int Devices, int Routes) Reads { get; private set; }

    /// <summary>Whether something may have changed that the next <see cref="Read"/> looks at.</summary>
    public bool Matters(NetworkEvent change)
    {
        lock (_lock)
        {
            var parts = Concerned(change);
            _stale |= parts;
            return parts != Parts.None;
        }
    }

    /// <summary>The network of the calling thread's namespace as it is now.</summary>
    /// <param name="monitor">That the events come from, and which gets the further subscriptions; null without events.</param>
    public NodeNetworkState Read(RouteMonitor? monitor = null)
    {
        Parts stale;
        lock (_lock)
        {
            stale = _stale;
            _stale = Parts.None;
        }

        try
        {
            using var netlink = RouteNetlink.Open();
            if (stale.HasFlag(Parts.Devices))
                stale |= ReadDevices(netlink);
            // Before routes are read: later changes are reported.
            Subscribe(monitor, _defaults.Any(d => d.Route.FollowsNextHopObject));
            if (stale.HasFlag(Parts.DefaultRoutes) && ReadDefaultRoutes(netlink))
            {
                // It depends on an object without an event so far.
                Subscribe(monitor, nextHops: true);
                ReadDefaultRoutes(netlink);
            }

            if (stale.HasFlag(Parts.Networks))
                ReadNetworks();
            return Compose();
        }
        catch
        {
            lock (_lock)
                _stale |= stale;
            throw;
        }
    }

    private Parts Concerned(NetworkEvent change)
    {
        switch (change.Kind)
        {
            case NetworkEventKind.Lost:
                _pods = [];
                return Parts.All;
            case NetworkEventKind.LinkSet when NodeNetworkState.IsPods(change.Name!):
                _pods.Add(change.Ifindex);
                return Parts.None;
            case NetworkEventKind.LinkGone when _pods.Remove(change.Ifindex):
                return Parts.None;
            case NetworkEventKind.LinkSet:
                _pods.Remove(change.Ifindex);
                return Parts.Devices | (change.Up ? Parts.None : Carried(change.Ifindex));
            case NetworkEventKind.LinkGone:
                return Parts.Devices | Carried(change.Ifindex);
            case NetworkEventKind.AddressSet:
                return _pods.Contains(change.Ifindex) ? Parts.None : Parts.Devices;
            case NetworkEventKind.AddressGone:
                return _pods.Contains(change.Ifindex) ? Parts.None : Parts.Devices | Carried(change.Ifindex);
            case NetworkEventKind.RouteSet or NetworkEventKind.RouteGone when change.Table == KernelRoute.MainTable:
                return change.Destination.PrefixLength == 0 ? Parts.DefaultRoutes : Network(change);
            case NetworkEventKind.NextHop:
                return Parts.DefaultRoutes | Parts.Networks;
            default:
                return Parts.None;
        }
    }

    private Parts Carried(int ifindex) => _carriers.Contains(ifindex) ? Parts.DefaultRoutes | Parts.Networks : Parts.None;

    private Parts Network(NetworkEvent change)
    {
        if (_doubtful.IsEmpty || (change.Protocol == PodWiring.RouteProtocol && !change.Replaces))
            return Parts.None;
        // By several devices, or in the place of a route that the event does not name.
        if (change.Ifindex == 0 || change.Replaces)
            return Parts.Networks;
        // One more by a device that leads to networks says nothing; the last one that goes does.
        return _doubtful.TryGetValue(change.Ifindex, out var leads) && leads == (change.Kind == NetworkEventKind.RouteGone)
            ? Parts.Networks
            : Parts.None;
    }

    /// <returns>What else is to be read.</returns>
    private Parts ReadDevices(RouteNetlink netlink)
    {
        Reads = Reads with { Devices = Reads.Devices + 1 };
        var all = netlink.Links();
        var links = all.Where(l => !NodeNetworkState.IsPods(l.Name) && !NodeNetworkState.IsTunnel(l)).ToImmutableArray();
        var known = links.Select(l => l.Index).ToHashSet();
        _state = new NodeNetworkState(links, [.. netlink.Addresses().Where(a => known.Contains(a.Ifindex) && !a.Tentative)], [])
        {
            TunnelDevice = all.FirstOrDefault(l => NodeNetworkState.IsTunnel(l) && l.Up)?.Index ?? 0,
        };
        var doubtful = links.Where(l => OtherNetworks.AsksForRoutes(_state, l)).Select(l => l.Index).ToList();
        lock (_lock)
        {
            _pods = [.. all.Where(l => NodeNetworkState.IsPods(l.Name)).Select(l => l.Index)];
            var others = doubtful.Exists(i => !_doubtful.ContainsKey(i));
            _doubtful = doubtful.ToImmutableSortedDictionary(i => i, i => _doubtful.GetValueOrDefault(i));
            return others ? Parts.Networks : Parts.None;
        }
    }

    private void Subscribe(RouteMonitor? monitor, bool nextHops)
    {
        var wanted = new NetworkSubscription
        {
            Routes = _doubtful.IsEmpty ? RouteEvents.Defaults : RouteEvents.All,
            NextHops = nextHops || !_doubtful.IsEmpty,
        };
        if (wanted == _subscription)
            return;
        _subscription = wanted;
        monitor?.Subscribe(wanted);
    }

    /// <returns>Whether next hop objects are to be followed, and are not.</returns>
    private bool ReadDefaultRoutes(RouteNetlink netlink)
    {
        Reads = Reads with { Routes = Reads.Routes + 1 };
        _defaults = [.. netlink.DefaultRoutes().OrderBy(r => r.Metric ?? 0).Select(r => (r, netlink.Interfaces(r)))];
        return _defaults.Any(d => d.Route.FollowsNextHopObject) && !_subscription.NextHops;
    }

    private void ReadNetworks()
    {
        var read = _doubtful.Keys.ToImmutableSortedDictionary(i => i, i => RouteNetlink.LeadsToANetwork(i, PodWiring.RouteProtocol));
        lock (_lock)
            _doubtful = read;
    }

    private NodeNetworkState Compose()
    {
        var known = _state.Links.Select(l => l.Index).ToHashSet();
        ImmutableArray<int> routed = [.. _doubtful.Where(d => d.Value).Select(d => d.Key)];
        lock (_lock)
            _carriers = [.. _defaults.SelectMany(d => d.Devices), .. routed];
        return _state = _state with
        {
            DefaultRoutes =
            [
                .. _defaults.SelectMany(d => d.Devices.Where(known.Contains).Select(i => d.Route with { Ifindex = i, Multipath = null })),
            ],
            RoutedDevices = routed,
        };
    }
}
