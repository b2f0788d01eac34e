using System.Collections.Immutable;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Node;

/// <summary>
/// What the kernel knows of the node's network, without its pods: their devices and routes are ours, and there may be hundreds.
/// </summary>
/// <param name="Links">Loopback too.</param>
/// <param name="Addresses">Those that can be used.</param>
/// <param name="DefaultRoutes">Of the main table, the preferred first; one with several next hops once for each of its devices.</param>
public sealed record NodeNetworkState(
    ImmutableArray<LinkInfo> Links, ImmutableArray<AddressInfo> Addresses, ImmutableArray<KernelRoute> DefaultRoutes)
{
    /// <summary>
    /// Devices by which networks are reached that are no default routes, of those of which
    /// <see cref="OtherNetworks"/> asks: by index, sorted; of the main table, without our own routes.
    /// </summary>
    public ImmutableArray<int> RoutedDevices { get; init; } = [];

    /// <summary>The index of the tunnel's device, which is ours too; 0 if it is not there or switched off.</summary>
    public int TunnelDevice { get; init; }

    public static readonly NodeNetworkState None = new([], [], []);

    /// <summary>Of the calling thread's network namespace, all of them.</summary>
    public static NodeNetworkState Read() => new NetworkReader().Read();

    /// <summary>By content, as far as it decides anything.</summary>
    public bool Equals(NodeNetworkState? other) =>
        other is not null && Links.Select(Identity).SequenceEqual(other.Links.Select(Identity)) && Addresses.SequenceEqual(other.Addresses)
        && DefaultRoutes.SequenceEqual(other.DefaultRoutes) && RoutedDevices.SequenceEqual(other.RoutedDevices)
        && TunnelDevice == other.TunnelDevice;

    public override int GetHashCode() => HashCode.Combine(Links.Length, Addresses.Length, DefaultRoutes.Length);

    private static (int, string, bool, int, string, int, int?) Identity(LinkInfo link) =>
        (link.Index, link.Name, link.Up, link.Master, link.Kind, link.Mtu, link.PeerNamespaceId);

    internal static bool IsPods(string device) => device.StartsWith(EndpointKey.HostPrefix, StringComparison.Ordinal);

    internal static bool IsTunnel(LinkInfo link) => link.Name == OverlayOptions.DeviceName;
}
