using System.Net;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>What is outside of the cluster: a router on the nodes' link, and a world behind it whose addresses are all its own.</summary>
public static class OutsideAddresses
{
    /// <summary>Every address in it answers, and may be bound by a client (TEST-NET-2, RFC 5737).</summary>
    public static readonly IPNetwork WorldV4 = IPNetwork.Parse("198.51.100.0/24");

    /// <inheritdoc cref="WorldV4"/>
    public static readonly IPNetwork WorldV6 = IPNetwork.Parse("2001:db8:51::/64");

    /// <summary>What the sandbox's load balancer gives to Services (TEST-NET-3).</summary>
    public static readonly IPNetwork LoadBalancersV4 = IPNetwork.Parse("203.0.113.0/25");

    /// <inheritdoc cref="LoadBalancersV4"/>
    public static readonly IPNetwork LoadBalancersV6 = IPNetwork.Parse("2001:db8:113::/112");

    /// <summary>Address number <paramref name="host"/> (1 to 254) of the world.</summary>
    public static IPAddress V4(int host) => IPAddress.Parse($"198.51.100.{host}");

    /// <inheritdoc cref="V4"/>
    public static IPAddress V6(int host) => IPAddress.Parse($"2001:db8:51::{host:x}");
}
