using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// What becomes of a new connection: refused, dropped, or one of these backends; and which others a datagram may go on to. Text, so that
/// answers compare and print.
/// </summary>
internal sealed record Answer(string Verdict, string Backends = "", string Tail = "", bool KeepsSource = false, uint AffinitySec = 0)
{
    public static readonly Answer NotServed = new("not served");
    public static readonly Answer Filtered = new("filtered");
}

/// <summary>Where a question goes to, and of which service port kube-proxy has the rules there.</summary>
internal sealed record Target(IPAddress Address, int Port, string Protocol, string Kind, ServiceSnapshot Service,
    ServicePortSnapshot ServicePort);

/// <summary>
/// kube-proxy as its documentation tells it, written down a second time in the plainest way: from objects, for one question, nothing kept.
/// Only for objects that are well formed. Its rules are those of pkg/proxy/topology.go and of the chains in pkg/proxy/nftables/proxier.go.
/// </summary>
internal sealed class KubeProxyModel(ClusterSnapshot cluster, NodeContext node)
{
    private readonly string _zone = cluster.Nodes.GetValueOrDefault(node.NodeName)?.Zone ?? "";

    /// <summary>All rules of all services, conflicts included.</summary>
    public IEnumerable<Target> Targets()
    {
        foreach (var service in cluster.Services.Values)
        {
            if (service.ProxyName is not null || service.HeadlessLabel || service.Type == "ExternalName")
                continue;
            foreach (var clusterIP in service.ClusterIPs.Select(IPAddress.Parse))
            {
                var v4 = IsIPv4(clusterIP);
                if (!(v4 ? node.IPv4 : node.IPv6))
                    continue;
                var balancers = service.Type != "LoadBalancer"
                    ? [] : service.LoadBalancerIPs.Select(IPAddress.Parse).Where(a => IsIPv4(a) == v4).Distinct().ToList();
                var externals = !node.ExternalIPs ? [] : service.ExternalIPs.Select(IPAddress.Parse).Where(a => IsIPv4(a) == v4).Distinct()
                    .ToList();
                foreach (var port in service.Ports.DistinctBy(p => (p.Name, p.Protocol)))
                {
                    yield return new Target(clusterIP, port.Port, port.Protocol, "cluster", service, port);
                    foreach (var address in balancers)
                        yield return new Target(address, port.Port, port.Protocol, "balancer", service, port);
                    foreach (var address in externals.Except(balancers))
                        yield return new Target(address, port.Port, port.Protocol, "external", service, port);
                    if (port.NodePort == 0 || service.Type is not ("NodePort" or "LoadBalancer"))
                        continue;
                    foreach (var address in node.NodePortAddresses.Select(a => a.ToIPAddress()).Where(a => IsIPv4(a) == v4))
                        yield return new Target(address, port.NodePort, port.Protocol, "node", service, port);
                    if (v4 && node.LocalhostNodePorts)
                        yield return new Target(IPAddress.Loopback, port.NodePort, port.Protocol, "localhost", service, port);
                }
            }
        }
    }

    /// <param name="target">Where to.</param>
    /// <param name="client">Whose packet, after it arrived.</param>
    /// <param name="outside">It came over an uplink, not from a pod or the node itself.</param>
    public Answer Ask(Target target, IPAddress client, bool outside)
    {
        var service = target.Service;
        var external = target.Kind != "cluster";
        if (target.Kind == "localhost" && outside)
            return Answer.NotServed;
        if (target.Kind == "balancer" && !Allowed(service, target.Address, client))
            return Answer.Filtered;
        var local = external ? service.ExternalLocal && outside : service.InternalLocal;
        var endpoints = Endpoints(target);
        var ready = endpoints.FindAll(e => e.Ready);
        var terminating = endpoints.FindAll(e => e.ServingTerminating);
        var anywhere = ready.Count + terminating.Count > 0;
        if (local)
        {
            ready = ready.FindAll(e => e.Local);
            terminating = terminating.FindAll(e => e.Local);
        }
        else
            ready = Near(ready);
        var chosen = ready.Count > 0 ? ready : terminating;
        // conntrack/cleanup.go: a flow to an endpoint that serves is left alone, chosen or not
        var others = Names(endpoints.FindAll(e => (e.Ready || e.Serving) && !chosen.Contains(e)));
        if (chosen.Count == 0)
            return new Answer(anywhere ? "dropped" : "refused", "", others);
        return new Answer("served", Names(chosen), others, external && service.ExternalLocal && outside, (uint)service.AffinitySeconds);
    }

    private static string Names(List<Endpoint> endpoints) =>
        string.Join(", ", endpoints.Select(c => c.ToString()).Order(StringComparer.Ordinal));

    private List<Endpoint> Near(List<Endpoint> ready)
    {
        var here = ready.FindAll(e => e.Nodes.Contains(node.NodeName));
        if (here.Count > 0 && ready.TrueForAll(e => e.Nodes.Length > 0))
            return here;
        var near = ready.FindAll(e => _zone.Length > 0 && e.Zones.Contains(_zone));
        return near.Count > 0 && ready.TrueForAll(e => e.Zones.Length > 0) ? near : ready;
    }

    private bool Allowed(ServiceSnapshot service, IPAddress balancer, IPAddress client)
    {
        var ranges = service.LoadBalancerSourceRanges.Select(r => Masked(r)).Where(r => IsIPv4(r.BaseAddress) == IsIPv4(balancer)).ToList();
        if (ranges.Count == 0 || ranges.Exists(r => r.Contains(client)))
            return true;
        var own = cluster.Nodes.GetValueOrDefault(node.NodeName)?.InternalIPs.Select(IPAddress.Parse)
            .FirstOrDefault(a => IsIPv4(a) == IsIPv4(balancer));
        var balancers = service.LoadBalancerIPs.Select(IPAddress.Parse);
        return own is not null && ranges.Exists(r => r.Contains(own)) && balancers.Contains(client);
    }

    private static IPNetwork Masked(string range)
    {
        var (address, length) = (IPAddress.Parse(range.Split('/')[0]), int.Parse(range.Split('/')[1], CultureInfo.InvariantCulture));
        var bytes = address.GetAddressBytes();
        for (var bit = length; bit < bytes.Length * 8; bit++)
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        return new IPNetwork(new IPAddress(bytes), length);
    }

    /// <summary>
    /// Each address and port once. The same endpoint in two slices (see the compiler's EndpointChoice): whatever either says is true.
    /// </summary>
    private List<Endpoint> Endpoints(Target target)
    {
        var merged = new Dictionary<string, Endpoint>();
        foreach (var (name, slice) in cluster.EndpointSlices)
        {
            if (name.Namespace != target.Service.Name.Namespace || slice.ServiceName != target.Service.Name.Name
                || slice.ProxyName is not null || slice.HeadlessLabel)
                continue;
            if (slice.AddressType != (IsIPv4(target.Address) ? "IPv4" : "IPv6"))
                continue;
            foreach (var port in slice.Ports.Where(p => p.Name == target.ServicePort.Name && p.Protocol == target.Protocol))
                foreach (var e in slice.Endpoints)
                {
                    var one = new Endpoint(
                        $"{IPAddress.Parse(e.Addresses[0])}:{port.Port}", e.NodeName == node.NodeName, e.Ready, e.Serving,
                        e.Serving && e.Terminating, [.. e.HintNodes], [.. e.HintZones]);
                    merged[one.Name] = merged.TryGetValue(one.Name, out var other) ? one.Or(other) : one;
                }
        }
        return [.. merged.Values];
    }

    private sealed record Endpoint(string Name, bool Local, bool Ready, bool Serving, bool ServingTerminating, string[] Nodes,
        string[] Zones)
    {
        public Endpoint Or(Endpoint b) => new(
            Name, Local || b.Local, Ready || b.Ready, Serving || b.Serving, ServingTerminating || b.ServingTerminating,
            [.. Nodes, .. b.Nodes], [.. Zones, .. b.Zones]);

        public override string ToString() => Local ? Name + " local" : Name;
    }

    private static bool IsIPv4(IPAddress address) => address.AddressFamily == AddressFamily.InterNetwork;
}

/// <summary>The programs' lookup (bpf/lib/service_lookup.h) over a desired state.</summary>
internal sealed class DatapathModel(DesiredState state)
{
    private readonly Dictionary<SvcKey, DesiredFrontend> _frontends = state.Frontends.ToDictionary(f => f.Key);
    private readonly Dictionary<SegmentKey, DesiredSegment> _segments = state.Segments.ToDictionary(s => s.Key);

    public Answer Ask(IPAddress address, int port, string protocol, IPAddress client, bool outside)
    {
        if (outside && IPAddress.IsLoopback(address))
            return Answer.NotServed;
        var proto = protocol switch { "TCP" => IpProtocol.Tcp, "UDP" => IpProtocol.Udp, _ => IpProtocol.Sctp };
        var key = new SvcKey(Addr.From(address), U16Be.FromHost((ushort)port), proto, Scope.External);
        if (!(outside && _frontends.TryGetValue(key, out var frontend))
            && !_frontends.TryGetValue(key with { Scope = Scope.Internal }, out frontend))
            return Answer.NotServed;
        if (frontend.Flags.HasFlag(SvcFlags.SourceRanges) && !Allowed(frontend.Segment.ServiceId, Addr.From(client)))
            return Answer.Filtered;
        var segment = _segments[frontend.Segment];
        if (segment.Backends.IsEmpty)
            return new Answer(frontend.Flags.HasFlag(SvcFlags.DropEmpty) ? "dropped" : "refused", "", Names(segment.Tail));
        return new Answer(
            "served", Names(segment.Backends), Names(segment.Tail), frontend.Flags.HasFlag(SvcFlags.KeepSource), frontend.AffinitySec);
    }

    private static string Names(ImmutableArray<DesiredBackend> run) => string.Join(
        ", ", run.Select(b => $"{b.Addr}:{b.Port}{(b.Flags == BackendFlags.Local ? " local" : "")}").Order(StringComparer.Ordinal));

    /// <summary>As ebc_srange_v1 matches: 128 bits, IPv4 mapped.</summary>
    private bool Allowed(uint serviceId, Addr client) => state.SourceRanges.Any(r =>
    {
        var free = r.Addr.IsIPv4 ? 32 - r.PrefixLength : 128 - r.PrefixLength;
        return r.ServiceId == serviceId && (free == 128 || Number(r.Addr) >> free == Number(client) >> free);
    });

    private static UInt128 Number(Addr address) => Addresses.AddrNumber.Of(address);
}
