using System.Collections.Immutable;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Model;

/// <summary>
/// What kube-proxy does with a question, written from its documentation: "Virtual IPs and Service Proxies" (traffic policies,
/// terminating endpoints), the API reference of ServiceSpec, KEP-1669 (terminating), KEP-2433 and KEP-3015 (hints), and the nftables
/// proxier's README and comments. It shares nothing with the code under test.
/// </summary>
internal class KubeProxyRules
{
    public virtual Verdict Decide(Scenario scenario)
    {
        var service = scenario.Service;
        // "if present, the label tells kube-proxy to leave the Service alone": on the node's own address nobody listens then
        if (service.OtherProxy)
            return new Verdict.Refused();
        var cluster = ClusterEndpoints(service.Endpoints.All, scenario.Entry);
        var local = LocalEndpoints(service.Endpoints.All, scenario.Entry);
        return scenario.Address switch
        {
            // no rule of a service proxy is about an endpoint's own address
            AddressKind.Endpoint => Untouched(scenario, service.Endpoints.All[0].Backend),
            AddressKind.Health => HealthCheck(service.Endpoints.All),
            // the nftables mode does not serve node ports on 127.0.0.1, and nobody else listens there
            AddressKind.Loopback => new Verdict.Refused(),
            // "Rejecting packets to undefined ports of ClusterIPs"
            AddressKind.ClusterOtherPort => new Verdict.Refused(),
            // the firewall chain comes before everything else, for whoever asks; node ports and external IPs have none
            AddressKind.LoadBalancer when !Admits(scenario) => new Verdict.Dropped(),
            // "Rejecting packets for services with no local or remote endpoints"
            _ when cluster.IsEmpty => new Verdict.Refused(),
            AddressKind.Cluster => InternalTraffic(scenario, cluster, local),
            _ => ExternalTraffic(scenario, cluster, local),
        };
    }

    /// <summary>
    /// The ready ones that topology allows; if none is ready anywhere, those that terminate and still serve, whatever the topology.
    /// </summary>
    protected virtual ImmutableArray<EndpointEntry> ClusterEndpoints(ImmutableArray<EndpointEntry> endpoints, Site node)
    {
        ImmutableArray<EndpointEntry> ready = [.. endpoints.Where(e => e.State.IsReady)];
        return ready.IsEmpty ? [.. endpoints.Where(ServesWhileTerminating)] : Hinted(ready, node);
    }

    /// <summary>
    /// The node's ready ones; if it has none, those of the node that terminate and still serve. Hints do not matter here.
    /// </summary>
    protected virtual ImmutableArray<EndpointEntry> LocalEndpoints(ImmutableArray<EndpointEntry> endpoints, Site node)
    {
        ImmutableArray<EndpointEntry> here = [.. endpoints.Where(e => e.Backend.Site() == node)];
        ImmutableArray<EndpointEntry> ready = [.. here.Where(e => e.State.IsReady)];
        return ready.IsEmpty ? [.. here.Where(ServesWhileTerminating)] : ready;
    }

    /// <summary>
    /// Hints count only if every ready endpoint has one and one of them names this node, or else its zone; otherwise they are ignored.
    /// </summary>
    protected virtual ImmutableArray<EndpointEntry> Hinted(ImmutableArray<EndpointEntry> ready, Site node)
    {
        var name = node.ToString();
        if (ready.All(e => e.Nodes.Length > 0) && ready.Any(e => e.Nodes.Contains(name, StringComparison.Ordinal)))
            return [.. ready.Where(e => e.Nodes.Contains(name, StringComparison.Ordinal))];
        if (ready.All(e => e.Zones.Length > 0) && ready.Any(e => e.Zones.Contains(name, StringComparison.Ordinal)))
            return [.. ready.Where(e => e.Zones.Contains(name, StringComparison.Ordinal))];
        return ready;
    }

    /// <summary>"Traffic not from pods is masqueraded": a router may lead the cluster IP's range to any node.</summary>
    protected virtual Verdict InternalTraffic(
        Scenario scenario, ImmutableArray<EndpointEntry> cluster, ImmutableArray<EndpointEntry> local) =>
        To(scenario, scenario.Service.Internal == Policy.Local ? local : cluster, masquerade: !scenario.Client.IsPod());

    /// <summary>
    /// Cluster: to any endpoint, masqueraded since it may be on another node. Local: to those of this node, source kept; but what a pod
    /// or the node itself sends "simulates going up-and-out to an external load balancer and coming back in", so it may reach any.
    /// That is about the sender's own node: a node port of another one is entered from outside it.
    /// </summary>
    protected virtual Verdict ExternalTraffic(Scenario scenario, ImmutableArray<EndpointEntry> cluster, ImmutableArray<EndpointEntry> local)
    {
        if (scenario.Service.External == Policy.Cluster)
            return To(scenario, cluster, masquerade: true);
        return scenario.Client.Site() == scenario.Entry
            ? To(scenario, cluster, masquerade: !scenario.Client.IsPod())
            : To(scenario, local, masquerade: false);
    }

    /// <summary>200 as long as an endpoint on this node is ready; those that only terminate do not count, though they serve.</summary>
    protected virtual Verdict HealthCheck(ImmutableArray<EndpointEntry> endpoints)
    {
        var count = endpoints.Count(e => e.Backend.Site() == Site.A && e.State.IsReady);
        return new Verdict.Health(count > 0 ? 200 : 503, count);
    }

    // ranges of the other family are no ranges for this address
    protected virtual bool Admits(Scenario scenario) => scenario.Service.Ranges switch
    {
        SourceRanges.Pods => scenario.Client.IsPod(),
        SourceRanges.Nodes => scenario.Client is Client.Host or Client.OtherHost,
        SourceRanges.Outside => scenario.Client is Client.Outside,
        _ => true,
    };

    /// <summary>There are endpoints somewhere, but the policy allows none of them: "traffic is dropped by kube-proxy".</summary>
    private Verdict To(Scenario scenario, ImmutableArray<EndpointEntry> endpoints, bool masquerade) => endpoints.IsEmpty
        ? new Verdict.Dropped()
        : new Verdict.Served(endpoints.ToImmutableSortedDictionary(e => e.Backend, e => SourceAt(scenario, e.Backend, masquerade)));

    protected virtual Source SourceAt(Scenario scenario, Backend backend, bool masquerade)
    {
        if (scenario.Client == Client.Server && backend == Backend.A1)
            return Source.Masked; // "hairpin: handle traffic that loops back to the originator with SNAT"
        if (scenario.Client is Client.Host or Client.OtherHost && scenario.Client.Site() == scenario.Entry)
            return Source.Node; // masqueraded or not, it is the same machine
        // "we don't need to masquerade packets that are going to a host network IP" of the same node: they do not leave again
        return masquerade && !(backend.IsHostNetwork() && backend.Site() == scenario.Entry) ? Source.Node : Source.Client;
    }

    private static Verdict.Served Untouched(Scenario scenario, Backend backend) => new(ImmutableSortedDictionary<Backend, Source>.Empty.Add(
        backend, scenario.Client is Client.Host or Client.OtherHost ? Source.Node : Source.Client));

    private static bool ServesWhileTerminating(EndpointEntry endpoint) => endpoint.State is { IsServing: true, IsTerminating: true };
}
