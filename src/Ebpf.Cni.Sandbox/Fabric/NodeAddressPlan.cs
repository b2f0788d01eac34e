using System.Globalization;
using System.Net;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>The addresses of one node, and the ranges its pods get theirs from.</summary>
public sealed record NodeAddressPlan(string Node, LinkAddresses Link, IPAddress V4, IPAddress V6, IPNetwork PodsV4, IPNetwork PodsV6)
{
    /// <summary>The most nodes a sandbox has: one letter each.</summary>
    public const int MostNodes = 26;

    /// <summary>The node of this number, from 1 on: node-a at 172.30.0.11 with pods in 10.244.1.0/24, and so on.</summary>
    /// <param name="number">1 to <see cref="MostNodes"/>.</param>
    /// <param name="link">Where it is plugged in: on link 1 the same node would be at 172.31.0.11.</param>
    public static NodeAddressPlan Of(int number, int link = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MostNodes);
        var there = new LinkAddresses(link);
        var range = number.ToString(CultureInfo.InvariantCulture);
        return new NodeAddressPlan(
            $"node-{(char)('a' + number - 1)}",
            there,
            there.V4(10 + number),
            there.V6(10 + number),
            IPNetwork.Parse($"10.244.{range}.0/24"),
            IPNetwork.Parse($"fd00:10:244:{range}::/64"));
    }
}
