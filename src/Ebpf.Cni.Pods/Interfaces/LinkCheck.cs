using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>A pod's network compared with what ADD made, for CHECK: a sentence for each difference.</summary>
internal static class LinkCheck
{
    public static void HostSide(RouteNetlink netlink, EndpointRecord endpoint, List<string> differences)
    {
        var name = endpoint.Key.HostInterface;
        if (!LinkIsThere(netlink, name, endpoint.HostMac, "on the node", differences, out var ifindex))
            return;
        differences.AddRange(PodShaping.Differences(netlink, ifindex, name, PodShaping.Ingress(endpoint)));
        var routes = netlink.Routes(PodWiring.RouteProtocol).Where(r => r.Ifindex == ifindex).Select(r => r.Destination).ToHashSet();
        var neighbours = netlink.Neighbours(ifindex);
        foreach (var address in VethPodNetwork.Addresses(endpoint))
        {
            var route = VethPodNetwork.HostRoute(address, ifindex).Destination;
            if (!routes.Contains(route))
                differences.Add($"the node has no route to {route} through {name}");
            if (!neighbours.Any(n => n.Permanent && n.Address.Equals(address) && Same(n.Mac, endpoint.PodMac)))
                differences.Add($"the node has no neighbour entry for {address} on {name}");
        }
    }

    /// <summary>
    /// Of living pods those whose side on the node has lost what ADD made there, with what it is; of interfaces of other plugins, those
    /// whose MAC address is another. One look at the node for all of them.
    /// </summary>
    public static IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(
        RouteNetlink netlink, SysctlTree sysctl, IReadOnlyCollection<EndpointRecord> endpoints)
    {
        var links = netlink.Links().ToDictionary(l => l.Name);
        var routes = netlink.Routes(PodWiring.RouteProtocol).Select(r => (r.Ifindex, r.Destination)).ToHashSet();
        var neighbours = netlink.Neighbours().Where(n => n.Permanent).ToLookup(n => (n.Ifindex, n.Address));
        var found = new List<(EndpointRecord, string)>();
        foreach (var endpoint in endpoints)
            if (links.TryGetValue(endpoint.Foreign?.HostName ?? endpoint.Key.HostInterface, out var link)
                && Lost(endpoint, link) is { } lost)
                found.Add((endpoint, lost));
        return found;

        string? Lost(EndpointRecord endpoint, LinkInfo link)
        {
            if (!Same(link.Mac, endpoint.HostMac))
                return $"{link.Name} has another MAC address";
            if (endpoint.Foreign is not null)
                return null;
            if (!link.Up)
                return $"{link.Name} is down";
            foreach (var address in VethPodNetwork.Addresses(endpoint))
            {
                if (!routes.Contains((link.Index, VethPodNetwork.HostRoute(address, link.Index).Destination)))
                    return $"the node has no route to {address} through {link.Name}";
                if (!neighbours[(link.Index, address)].Any(n => Same(n.Mac, endpoint.PodMac)))
                    return $"the node has no neighbour entry for {address} on {link.Name}";
                if (!HostSideSettings.Forwards(sysctl, link.Name, address.AddressFamily))
                    return $"{link.Name} does not forward";
            }

            return null;
        }
    }

    public static void PodSide(RouteNetlink netlink, EndpointRecord endpoint, List<string> differences)
    {
        var name = endpoint.Ifname;
        if (!LinkIsThere(netlink, name, endpoint.PodMac, "in the pod", differences, out var ifindex))
            return;
        differences.AddRange(PodShaping.Differences(netlink, ifindex, $"{name} in the pod", PodShaping.Egress(endpoint)));
        var present = netlink.Addresses(ifindex);
        var routes = netlink.Routes().Where(r => r.Ifindex == ifindex && r.Destination.PrefixLength == 0).ToList();
        var neighbours = netlink.Neighbours(ifindex);
        foreach (var address in VethPodNetwork.Addresses(endpoint))
        {
            var gateway = PodWiring.Gateway(address.AddressFamily);
            if (!present.Any(a => a.Address.Equals(address)))
                differences.Add($"{name} in the pod does not have the address {address}");
            if (!routes.Any(r => gateway.Equals(r.Gateway)))
                differences.Add($"the pod has no default route through {gateway}");
            if (!neighbours.Any(n => n.Permanent && n.Address.Equals(gateway) && Same(n.Mac, endpoint.HostMac)))
                differences.Add($"the pod has no neighbour entry for {gateway}");
        }
    }

    private static bool LinkIsThere(
        RouteNetlink netlink, string name, byte[] mac, string where, List<string> differences, out int ifindex)
    {
        var link = netlink.FindLink(name);
        ifindex = link?.Index ?? 0;
        if (link is null)
        {
            differences.Add($"there is no interface {name} {where}");
            return false;
        }

        if (!Same(link.Mac, mac))
            differences.Add($"{name} {where} has another MAC address");
        if (!link.Up)
            differences.Add($"{name} {where} is down");
        return true;
    }

    private static bool Same(byte[]? a, byte[] b) => a.AsSpan().SequenceEqual(b);
}
