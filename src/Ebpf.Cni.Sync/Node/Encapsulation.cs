using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.Node;

/// <summary>What a tunnelled packet has more than the pod's own. Pure.</summary>
internal static class Encapsulation
{
    /// <summary>IPv4, UDP, VXLAN and the inner Ethernet header: 20 + 8 + 8 + 14 bytes.</summary>
    public const int OverIPv4 = 50;

    /// <summary>The same over IPv6: 40 + 8 + 8 + 14.</summary>
    public const int OverIPv6 = 70;

    /// <summary>
    /// The bytes to leave free for it. In <see cref="RoutingMode.Auto"/> also while no peer needs a tunnel: a peer that needs one may come
    /// at any time, and living pods' connections should not have to learn a smaller size then.
    /// </summary>
    /// <param name="routing">
    /// How peers are reached; tunnels with an underlay of <see cref="TunnelUnderlay.Auto"/> have that of the node's first address.
    /// </param>
    /// <param name="desired">Peers that know it better.</param>
    public static int Bytes(RoutingContext routing, DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(routing);
        ArgumentNullException.ThrowIfNull(desired);
        if (routing.Mode is RoutingMode.Direct or RoutingMode.None)
            return 0;
        var expected = routing.Underlay switch
        {
            TunnelUnderlay.IPv4 => OverIPv4,
            TunnelUnderlay.IPv6 => OverIPv6,
            _ => routing.InternalIPs is [{ IsIPv4: false }, ..] ? OverIPv6 : OverIPv4,
        };
        return desired.Prefixes.Any(p => p.Tunnel is { IsIPv4: false }) ? OverIPv6 : expected;
    }

    /// <summary>Before anything is known of peers or of this node.</summary>
    public static int Bytes(RoutingMode mode, TunnelUnderlay underlay) =>
        Bytes(new RoutingContext { Mode = mode, Underlay = underlay }, DesiredState.Empty);
}
