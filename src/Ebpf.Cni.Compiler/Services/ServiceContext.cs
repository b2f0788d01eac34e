using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>What the compile of a service reads of its node; services compiled for an equal view need not be compiled again.</summary>
internal sealed class ServiceContext
{
    private static readonly RoutingContext Anywhere = new();
    private readonly Addr[] _nodePortIPv4;
    private readonly Addr[] _nodePortIPv6;
    private readonly Addr? _ownIPv4;
    private readonly Addr? _ownIPv6;
    private readonly ushort _tunnelPort;
    private readonly ImmutableSortedDictionary<string, NodeSnapshot> _nodes;
    private PodCidr[]? _podRanges;

    public ServiceContext(NodeContext context, ClusterSnapshot cluster)
    {
        _tunnelPort = context.Routing is { Mode: RoutingMode.Auto or RoutingMode.Tunnel, TunnelPort: var port } ? port : (ushort)0;
        _nodes = cluster.Nodes;
        // What only prefixes, routes and hostPorts depend on must not make services be compiled again.
        Context = context with { HostPorts = [], MasqueradeExempt = [], NodeAddresses = [], Routing = Anywhere };
        var node = cluster.Nodes.GetValueOrDefault(context.NodeName);
        Zone = node?.Zone ?? "";
        foreach (var text in node is null || node.InternalIPs.IsDefault ? [] : node.InternalIPs)
            if (!AddrText.TryParse(text, out var address))
                continue;
            else if (address.IsIPv4)
                _ownIPv4 ??= address;
            else
                _ownIPv6 ??= address;
        _nodePortIPv4 = Usable(context, ipv4: true);
        _nodePortIPv6 = Usable(context, ipv4: false);
    }

    public NodeContext Context { get; }

    /// <summary>One object for all views that are the same: what was read for one of them is valid for the others.</summary>
    public object Identity { get; private set; } = new();

    public string Name => Context.NodeName;

    /// <summary>The node's own topology zone; empty: none.</summary>
    public string Zone { get; }

    public Addr[] NodePortAddresses(bool ipv4) => ipv4 ? _nodePortIPv4 : _nodePortIPv6;

    /// <summary>The node's first InternalIP of the family: what kube-proxy calls the node IP.</summary>
    public Addr? Own(bool ipv4) => ipv4 ? _ownIPv4 : _ownIPv6;

    public bool Serves(bool ipv4) => Context.Serves(ipv4);

    /// <summary>The node itself has a server there.</summary>
    public bool HasServer(in SvcKey key) => !Context.NodeServers.IsDefaultOrEmpty
        && Context.NodeServers.BinarySearch(new NodeServer(key.Addr, key.Port.Host, key.Proto)) >= 0;

    /// <summary>
    /// What is sent there could be taken for a tunnel's by a node: its port is the tunnel's, and it is no pod's. Services are not compiled
    /// again for each node that comes, unless one has such an endpoint.
    /// </summary>
    public bool MayBeTunnel(Addr address, U16Be port, IpProtocol protocol)
    {
        if (_tunnelPort == 0 || protocol != IpProtocol.Udp || port.Host != _tunnelPort)
            return false;
        _podRanges ??= ReadPodRanges();
        return !Array.Exists(_podRanges, r => r.Contains(address));
    }

    /// <summary>This is the same view as an earlier one, of a later cluster.</summary>
    public void Succeed(ServiceContext same) => (Identity, _podRanges) = (same.Identity, _podRanges ?? same._podRanges);

    public bool IsSame(ServiceContext? other) =>
        other is not null && Context == other.Context && Zone == other.Zone && _ownIPv4 == other._ownIPv4 && _ownIPv6 == other._ownIPv6
        && _tunnelPort == other._tunnelPort && (other._podRanges is null || ReferenceEquals(_nodes, other._nodes)
            || other._podRanges.AsSpan().SequenceEqual(_podRanges ??= ReadPodRanges()));

    private PodCidr[] ReadPodRanges() =>
    [
        .. _nodes.Values.SelectMany(n => n.PodCidrs.IsDefault ? [] : n.PodCidrs)
            .Select(t => PodCidr.TryParse(t, out var range) && AddrClass.Special(range.Network) is null ? range : (PodCidr?)null)
                .OfType<PodCidr>().Distinct().Order(),
    ];

    private static Addr[] Usable(NodeContext context, bool ipv4) => context.NodePortAddresses.IsDefault
        ? []
        : [.. context.NodePortAddresses.Where(a => a.IsIPv4 == ipv4 && AddrClass.Special(a) is null).Distinct()];
}
