using System.Collections.Immutable;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Kernel.Netlink;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Agent.Node;

/// <summary>What the kernel knows of the node's network, without its pods: their devices and routes are ours, and there may be hundreds.</summary>
/// <param name="Links">Loopback too.</param>
/// <param name="Addresses">Those that can be used.</param>
/// <param name="DefaultRoutes">Of the main table, the preferred first; one with several next hops once for each of its devices.</param>
public sealed record NetworkFacts(ImmutableArray<LinkInfo> Links, ImmutableArray<AddressInfo> Addresses, ImmutableArray<KernelRoute> DefaultRoutes)
{
    /// <summary>Devices by which networks are reached that are no default routes: by index, sorted; of the main table, without our own routes.</summary>
    public ImmutableArray<int> RoutedDevices { get; init; } = [];

    /// <summary>The index of the tunnel's device, which is ours too; 0 if it is not there or switched off.</summary>
    public int TunnelDevice { get; init; }

    public static readonly NetworkFacts None = new([], [], []);

    /// <summary>Of the calling thread's network namespace.</summary>
    public static NetworkFacts Read()
    {
        using var netlink = RouteNetlink.Open();
        var all = netlink.Links();
        var links = all.Where(l => !IsPods(l) && !IsTunnel(l)).ToImmutableArray();
        var known = links.Select(l => l.Index).ToHashSet();
        var routes = netlink.Routes().Where(r => r.Type == RouteType.Unicast).ToList();
        return new NetworkFacts(
            links,
            [.. netlink.Addresses().Where(a => known.Contains(a.Ifindex) && !a.Tentative)],
            [
                .. routes.Where(r => r.Destination.PrefixLength == 0)
                    .OrderBy(r => r.Metric ?? 0)
                    .SelectMany(r => netlink.Interfaces(r).Where(known.Contains).Select(i => r with { Ifindex = i, Spread = null })),
            ])
        {
            RoutedDevices = [.. routes.Where(IsToANetwork).SelectMany(netlink.Interfaces).Where(known.Contains).Distinct().Order()],
            TunnelDevice = all.FirstOrDefault(l => IsTunnel(l) && l.Up)?.Index ?? 0,
        };
    }

    /// <summary>By content, as far as it decides anything.</summary>
    public bool Equals(NetworkFacts? other) =>
        other is not null && Links.Select(Identity).SequenceEqual(other.Links.Select(Identity)) && Addresses.SequenceEqual(other.Addresses)
        && DefaultRoutes.SequenceEqual(other.DefaultRoutes) && RoutedDevices.SequenceEqual(other.RoutedDevices) && TunnelDevice == other.TunnelDevice;

    public override int GetHashCode() => HashCode.Combine(Links.Length, Addresses.Length, DefaultRoutes.Length);

    private static (int, string, bool, int, string, int, int?) Identity(LinkInfo link) =>
        (link.Index, link.Name, link.Up, link.Master, link.Kind, link.Mtu, link.PeerNamespaceId);

    /// <summary>A single address is a pod's or a peer's; every device has fe80::/64.</summary>
    private static bool IsToANetwork(KernelRoute route) =>
        route.Destination.PrefixLength is > 0 and var length && length < route.Destination.BaseAddress.GetAddressBytes().Length * 8
        && !route.Destination.BaseAddress.IsIPv6LinkLocal && route.Protocol != PodWiring.RouteProtocol;

    private static bool IsPods(LinkInfo link) => link.Name.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal);

    private static bool IsTunnel(LinkInfo link) => link.Name == OverlayOptions.DeviceName;
}
