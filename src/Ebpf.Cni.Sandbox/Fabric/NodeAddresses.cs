using System.Globalization;
using System.Net;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>The addresses of one node, and the ranges its pods get theirs from.</summary>
public sealed record NodeAddresses(string Node, IPAddress V4, IPAddress V6, IPNetwork PodsV4, IPNetwork PodsV6)
{
    public const int PrefixLengthV4 = 24;
    public const int PrefixLengthV6 = 64;

    /// <summary>The outside router's: what the nodes' default routes lead to. Nothing is forwarded there.</summary>
    public static readonly IPAddress GatewayV4 = IPAddress.Parse("172.30.0.1");

    /// <inheritdoc cref="GatewayV4"/>
    public static readonly IPAddress GatewayV6 = IPAddress.Parse("fd00:30::1");

    /// <summary>The most nodes a sandbox has: one letter each.</summary>
    public const int MostNodes = 26;

    /// <summary>The node of this number, from 1 on: node-a at 172.30.0.11 with pods in 10.244.1.0/24, and so on.</summary>
    public static NodeAddresses Of(int number)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MostNodes);
        // in text an IPv6 group is hexadecimal; written with decimal digits it reads like the IPv4 address beside it
        var host = (10 + number).ToString(CultureInfo.InvariantCulture);
        var range = number.ToString(CultureInfo.InvariantCulture);
        return new NodeAddresses(
            $"node-{(char)('a' + number - 1)}",
            IPAddress.Parse($"172.30.0.{host}"),
            IPAddress.Parse($"fd00:30::{host}"),
            IPNetwork.Parse($"10.244.{range}.0/24"),
            IPNetwork.Parse($"fd00:10:244:{range}::/64"));
    }
}
