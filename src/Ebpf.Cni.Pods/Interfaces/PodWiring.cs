using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// What every pod's network has in common. A pod has single addresses and one gateway a family that no interface carries: permanent
/// neighbours on both sides stand for it, so nothing waits for ARP, neighbour discovery or duplicate address detection.
/// </summary>
public static class PodWiring
{
    /// <summary>Routes that the agent owns carry this protocol number.</summary>
    public const byte RouteProtocol = 0x65;

    private static readonly IPAddress GatewayIPv4 = new([169, 254, 1, 1]);
    private static readonly IPAddress GatewayIPv6 = IPAddress.Parse("fe80::ecc:1");

    public static IPAddress Gateway(AddressFamily family) => family == AddressFamily.InterNetwork ? GatewayIPv4 : GatewayIPv6;

    public static int FullPrefix(AddressFamily family) => family == AddressFamily.InterNetwork ? 32 : 128;

    public static IPNetwork DefaultRoute(AddressFamily family) =>
        new(family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
}
