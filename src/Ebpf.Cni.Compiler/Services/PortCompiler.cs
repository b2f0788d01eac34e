using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>What all ports of a service have in common.</summary>
internal sealed record ServiceTraits(
    string Uid, ServiceAddresses Addresses, SourceRanges SourceRanges, bool InternalLocal, bool ExternalLocal, uint AffinitySec);

/// <summary>
/// One service port → its frontends and the lists behind them. Cluster IPs have internalTrafficPolicy's list. Addresses for the world
/// outside (node ports, balancers, external IPs) have the Cluster policy's list for clients in the cluster, whatever externalTrafficPolicy
/// says: kube-proxy treats such traffic as if it had left and come back (the short cut in nftables/proxier.go). What comes from outside
/// meets the same entry; only externalTrafficPolicy Local gives it one of its own.
/// </summary>
/// <param name="port">The service port.</param>
/// <param name="service">What it shares with the others.</param>
/// <param name="node">Where it is to be served.</param>
/// <param name="issues">Gets what is wrong with it.</param>
/// <param name="scratch">A list that is lent: a service of thousands of endpoints should not leave one behind with every change.</param>
internal sealed class PortCompiler(
    ServicePort port, ServiceTraits service, ServiceContext node, IssueCollector issues, List<EndpointChoice.Candidate> scratch)
{
    private static readonly Addr Loopback = Addr.FromBytes([127, 0, 0, 1]);

    private readonly List<CompiledFrontend> _frontends = [];
    private readonly List<CompiledSegment> _segments = [];

    /// <param name="slices">The service's, of both families.</param>
    /// <param name="first">The service's first port: the one that has the reject entries of its cluster IPs.</param>
    public CompiledPort Compile(List<SliceEndpoints> slices, bool first)
    {
        foreach (var clusterIP in service.Addresses.ClusterIPs)
            AddFamily(clusterIP, new EndpointChoice(Candidates(clusterIP.IsIPv4, slices)));
        AddRejectEntries(first);
        _segments.Sort(static (a, b) => a.Variant.CompareTo(b.Variant));
        AddressRange[] ranges = service.SourceRanges == SourceRanges.None
            ? [] : [.. service.SourceRanges.IPv4, .. service.SourceRanges.IPv6];
        return new CompiledPort(port.Name, service.Uid, [.. _frontends], [.. _segments], ranges);
    }

    private void AddFamily(Addr clusterIP, in EndpointChoice endpoints)
    {
        var ipv4 = clusterIP.IsIPv4;
        AddClusterIP(clusterIP, endpoints);
        var filtered = service.SourceRanges.Of(ipv4).Length > 0 ? SvcFlags.SourceRanges : SvcFlags.None;
        foreach (var address in service.Addresses.LoadBalancers)
            if (address.IsIPv4 == ipv4)
                AddExternal(address, port.Port, FrontendKind.LoadBalancer, filtered, endpoints);
        foreach (var address in service.Addresses.Externals)
            if (address.IsIPv4 == ipv4)
                AddExternal(address, port.Port, FrontendKind.ExternalIP, SvcFlags.None, endpoints);
        if (port.NodePort == default)
            return;
        foreach (var address in node.NodePortAddresses(ipv4))
            AddExternal(address, port.NodePort, FrontendKind.NodePort, SvcFlags.None, endpoints);
        if (ipv4 && node.Context.LocalhostNodePorts)
            Add(Loopback, port.NodePort, Scope.Internal, FrontendKind.NodePort, AddCluster(ipv4, endpoints).Variant, SvcFlags.None);
    }

    private void AddClusterIP(Addr clusterIP, in EndpointChoice endpoints)
    {
        if (node.HasServer(new SvcKey(clusterIP, port.Port, port.Name.Protocol, Scope.Internal)))
        {
            _frontends.Add(new CompiledFrontend(
                new SvcKey(clusterIP, port.Port, port.Name.Protocol, Scope.Internal), FrontendKind.ClusterIP, SegmentVariant.None,
                SvcFlags.NodeServer, 0));
            return;
        }
        var internally = service.InternalLocal ? AddLocal(clusterIP.IsIPv4, endpoints) : AddCluster(clusterIP.IsIPv4, endpoints);
        var empty = service.InternalLocal ? DropIfEmpty(internally, endpoints) : SvcFlags.None;
        Add(clusterIP, port.Port, Scope.Internal, FrontendKind.ClusterIP, internally.Variant, empty);
    }

    private void AddExternal(Addr address, U16Be at, FrontendKind kind, SvcFlags flags, in EndpointChoice endpoints)
    {
        // A node port may be the number of a port of the service, and a node's address one of its external IPs.
        if (kind == FrontendKind.NodePort && at == port.Port && _frontends.Exists(f => f.Key.Addr == address))
            return;
        Add(address, at, Scope.Internal, kind, AddCluster(address.IsIPv4, endpoints).Variant, flags);
        if (!service.ExternalLocal)
            return;
        var local = AddLocal(address.IsIPv4, endpoints);
        Add(address, at, Scope.External, kind, local.Variant, flags | SvcFlags.KeepSource | DropIfEmpty(local, endpoints));
    }

    /// <summary>
    /// Frontends in form only. {cluster IP, 0, 0} refuses the ports that a cluster IP does not have; external addresses have none, they may
    /// be a host's own. {::, node port} keeps processes of the node from a port whose traffic they would not get.
    /// </summary>
    private void AddRejectEntries(bool first)
    {
        if (_frontends.Count == 0)
            return;
        if (first)
            foreach (var clusterIP in service.Addresses.ClusterIPs)
                _frontends.Add(new CompiledFrontend(
                    new SvcKey(clusterIP, default, 0, Scope.Internal), FrontendKind.ClusterIP, SegmentVariant.None, SvcFlags.Address, 0));
        if (port.NodePort != default)
            _frontends.Add(new CompiledFrontend(
                new SvcKey(default, port.NodePort, port.Name.Protocol, Scope.Bind), FrontendKind.NodePort, SegmentVariant.None,
                SvcFlags.None, 0));
        if (_frontends.Exists(f => f.Variant == SegmentVariant.None))
            _segments.Add(new CompiledSegment(SegmentVariant.None, [], []));
    }

    private void Add(Addr address, U16Be at, Scope scope, FrontendKind kind, SegmentVariant variant, SvcFlags flags) =>
        _frontends.Add(new CompiledFrontend(new SvcKey(address, at, port.Name.Protocol, scope), kind, variant, flags, service.AffinitySec));

    /// <summary>Endpoints exist, but none here: dropped, so that a balancer tries another node. No endpoints at all: refused.</summary>
    private static SvcFlags DropIfEmpty(CompiledSegment local, in EndpointChoice endpoints) =>
        local.Backends.IsEmpty && endpoints.Exists ? SvcFlags.DropEmpty : SvcFlags.None;

    private CompiledSegment AddCluster(bool ipv4, in EndpointChoice endpoints)
    {
        var variant = ipv4 ? SegmentVariant.ClusterIPv4 : SegmentVariant.ClusterIPv6;
        return Find(variant) ?? Keep(endpoints.Cluster(variant));
    }

    private CompiledSegment AddLocal(bool ipv4, in EndpointChoice endpoints)
    {
        var variant = ipv4 ? SegmentVariant.LocalIPv4 : SegmentVariant.LocalIPv6;
        return Find(variant) ?? Keep(endpoints.Local(variant));
    }

    private CompiledSegment? Find(SegmentVariant variant)
    {
        foreach (var segment in _segments)
            if (segment.Variant == variant)
                return segment;
        return null;
    }

    private CompiledSegment Keep(CompiledSegment segment)
    {
        _segments.Add(segment);
        return segment;
    }

    /// <summary>
    /// A slice's port belongs to the service port of its name and protocol; its number is the target, which pods may each have their own
    /// of.
    /// </summary>
    private List<EndpointChoice.Candidate> Candidates(bool ipv4, List<SliceEndpoints> slices)
    {
        var candidates = scratch;
        candidates.Clear();
        foreach (var slice in slices)
        {
            if (slice.IsIPv4 != ipv4)
                continue;
            foreach (var target in slice.Ports)
                if (target.Protocol == port.Name.Protocol && target.Name == port.Name.Port)
                    foreach (var endpoint in slice.Endpoints)
                        AddCandidate(candidates, endpoint, target.Port);
        }
        return candidates;
    }

    private void AddCandidate(List<EndpointChoice.Candidate> candidates, in SliceEndpoint endpoint, U16Be target)
    {
        if (node.MayBeTunnel(endpoint.Addr, target, port.Name.Protocol))
            issues.Add(IssueReason.EndpointIsTunnelPort,
                $"endpoint {endpoint.Addr} uses the tunnel port {target}/UDP and is no pod; it is ignored (the tunnel-port option)");
        else
            candidates.Add(new EndpointChoice.Candidate(endpoint, target));
    }
}
