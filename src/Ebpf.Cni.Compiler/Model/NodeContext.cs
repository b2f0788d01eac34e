using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>Which node is compiled for: everything about it that is not in the cluster's objects.</summary>
/// <param name="NodeName">The node's name in the API; endpoints with this name are local.</param>
/// <param name="IPv4">The node serves IPv4: else IPv4 addresses are passed over in silence, as a single-stack kube-proxy does.</param>
/// <param name="IPv6">The same for IPv6.</param>
public sealed record NodeContext(string NodeName, bool IPv4 = true, bool IPv6 = true)
{
    /// <summary>Where NodePorts are served, sorted; without loopback.</summary>
    public ImmutableArray<Addr> NodePortAddresses { get; init; } = [];

    /// <summary>
    /// All the node's own addresses that others may know, sorted: where a hostPort without hostIP is served. One that is a cluster IP as
    /// well (NodeLocal DNSCache) is the service's here.
    /// </summary>
    public ImmutableArray<Addr> NodeAddresses { get; init; } = [];

    /// <summary>
    /// Cluster IPs and ports at which the node itself has a server, sorted: it has the address, and a socket is bound to exactly this
    /// address and port. They are left to that server.
    /// </summary>
    public ImmutableArray<NodeServer> NodeServers { get; init; } = [];

    /// <summary>Serve NodePorts on 127.0.0.1 too, for the node itself.</summary>
    public bool LocalhostNodePorts { get; init; } = true;

    /// <summary>
    /// Serve spec.externalIPs; else they are an issue (CVE-2020-8554: the author of a Service can take over any address).
    /// </summary>
    public bool ExternalIPs { get; init; } = true;

    /// <summary>Destinations that pods reach with their own address although they are outside the cluster.</summary>
    public ImmutableArray<IPNetwork> MasqueradeExempt { get; init; } = [];

    /// <summary>The hostPorts of this node's pods.</summary>
    public ImmutableArray<HostPort> HostPorts { get; init; } = [];

    /// <summary>How other nodes are reached.</summary>
    public RoutingContext Routing { get; init; } = new();

    internal bool Serves(bool ipv4) => ipv4 ? IPv4 : IPv6;

    /// <summary>By content: an agent that reads the same addresses again must not make everything be compiled again.</summary>
    public bool Equals(NodeContext? other) =>
        ReferenceEquals(this, other)
        || (other is not null && NodeName == other.NodeName && IPv4 == other.IPv4 && IPv6 == other.IPv6
            && LocalhostNodePorts == other.LocalhostNodePorts && ExternalIPs == other.ExternalIPs && Routing == other.Routing
            && NodePortAddresses.AsSpan().SequenceEqual(other.NodePortAddresses.AsSpan())
            && NodeAddresses.AsSpan().SequenceEqual(other.NodeAddresses.AsSpan())
            && MasqueradeExempt.AsSpan().SequenceEqual(other.MasqueradeExempt.AsSpan())
            && NodeServers.AsSpan().SequenceEqual(other.NodeServers.AsSpan())
            && HostPorts.AsSpan().SequenceEqual(other.HostPorts.AsSpan()));

    public override int GetHashCode() =>
        HashCode.Combine(NodeName, IPv4, IPv6, NodePortAddresses.AsSpan().Length, HostPorts.AsSpan().Length);
}

/// <summary>A socket of the node that is bound to exactly this address and port.</summary>
public readonly record struct NodeServer(Addr Addr, ushort Port, IpProtocol Protocol) : IComparable<NodeServer>
{
    public int CompareTo(NodeServer other)
    {
        var c = Addr.CompareTo(other.Addr);
        if (c == 0)
            c = Port.CompareTo(other.Port);
        return c != 0 ? c : Protocol.CompareTo(other.Protocol);
    }

    public static bool operator <(NodeServer a, NodeServer b) => a.CompareTo(b) < 0;
    public static bool operator >(NodeServer a, NodeServer b) => a.CompareTo(b) > 0;
    public static bool operator <=(NodeServer a, NodeServer b) => a.CompareTo(b) <= 0;
    public static bool operator >=(NodeServer a, NodeServer b) => a.CompareTo(b) >= 0;
}

/// <summary>A port of the node that leads to a port of a pod on it (the CNI capability portMappings).</summary>
/// <param name="Pod">Namespace and name.</param>
/// <param name="HostAddress">Null: every address of the node, 127.0.0.1 included.</param>
/// <param name="Port">The node's.</param>
/// <param name="Protocol">TCP, UDP or SCTP.</param>
/// <param name="PodAddress">Of the mapping's family.</param>
/// <param name="PodPort">The pod's.</param>
public sealed record HostPort(string Pod, Addr? HostAddress, ushort Port, IpProtocol Protocol, Addr PodAddress, ushort PodPort);
