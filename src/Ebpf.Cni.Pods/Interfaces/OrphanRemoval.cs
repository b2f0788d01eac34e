using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Finds and removes orphans: interfaces, routes and neighbours of ebpf-cni on the node that belong to no endpoint. An interface is ours
/// when its name and its alias agree: a name alone proves nothing. Routes and neighbours are looked at on the interfaces of endpoints only;
/// those of others went with theirs.
/// </summary>
internal static class OrphanRemoval
{
    /// <returns>What was removed, for people.</returns>
    public static IReadOnlyList<string> Run(RouteNetlink netlink, IReadOnlyCollection<EndpointRecord> endpoints)
    {
        var removed = new List<string>();
        var owners = endpoints.ToDictionary(e => e.Key.HostInterface);
        var kept = new Dictionary<int, EndpointRecord>();
        foreach (var link in netlink.Links().Where(l => l.Name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal)))
        {
            if (owners.TryGetValue(link.Name, out var owner))
                kept.Add(link.Index, owner);
            else if (EndpointKey.IsOurs(link.Name, link.Alias) && Gone(() => netlink.DeleteLink(link.Index)))
                removed.Add($"the interface {link.Name} ({link.Alias})");
        }

        if (kept.Count == 0)
            return removed;
        foreach (var route in netlink.Routes(PodWiring.RouteProtocol).Where(r => kept.ContainsKey(r.Ifindex)).ToList())
        {
            if (!VethPodNetwork.Addresses(kept[route.Ifindex])
                .Any(a => VethPodNetwork.HostRoute(a, route.Ifindex).Destination.Equals(route.Destination))
                && Gone(() => netlink.DeleteRoute(route)))
                removed.Add($"the route to {route.Destination} on {kept[route.Ifindex].Key.HostInterface}");
        }

        foreach (var neighbour in netlink.Neighbours().Where(n => n.Permanent && kept.ContainsKey(n.Ifindex) && !n.Address.IsIPv6Multicast)
            .ToList())
        {
            if (!VethPodNetwork.Addresses(kept[neighbour.Ifindex]).Contains(neighbour.Address)
                && Gone(() => netlink.DeleteNeighbour(neighbour.Ifindex, neighbour.Address)))
                removed.Add($"the neighbour {neighbour.Address} on {kept[neighbour.Ifindex].Key.HostInterface}");
        }

        return removed;
    }

    /// <summary>False when it went by itself: a namespace that is torn down takes its pair with it.</summary>
    private static bool Gone(Action delete)
    {
        try
        {
            delete();
            return true;
        }
        catch (KernelException e) when (e.Errno is Errno.ENODEV or Errno.ENOENT or Errno.ESRCH)
        {
            return false;
        }
    }
}
