using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>
/// What the compiler reads of a v1 Service, as the API gave it: addresses and protocols stay text, so that a malformed one
/// becomes an issue with the object's name and not an exception at the edge.
/// </summary>
public sealed record ServiceSnapshot
{
    public required ObjectName Name { get; init; }
    public string Uid { get; init; } = "";

    /// <summary>spec.type: ClusterIP, NodePort, LoadBalancer, ExternalName.</summary>
    public string Type { get; init; } = "ClusterIP";

    /// <summary>spec.clusterIPs, else [spec.clusterIP]; "None" is headless.</summary>
    public ImmutableArray<string> ClusterIPs { get; init; } = [];

    public ImmutableArray<ServicePortSnapshot> Ports { get; init; } = [];

    public ImmutableArray<string> ExternalIPs { get; init; } = [];

    /// <summary>
    /// status.loadBalancer.ingress with an ip and an ipMode other than Proxy (Proxy: the balancer delivers to node ports, the address is
    /// not ours).
    /// </summary>
    public ImmutableArray<string> LoadBalancerIPs { get; init; } = [];

    /// <summary>
    /// spec.loadBalancerSourceRanges, else the elements of the annotation that it replaced,
    /// service.beta.kubernetes.io/load-balancer-source-ranges.
    /// </summary>
    public ImmutableArray<string> LoadBalancerSourceRanges { get; init; } = [];

    /// <summary>spec.internalTrafficPolicy is Local.</summary>
    public bool InternalLocal { get; init; }

    /// <summary>spec.externalTrafficPolicy is Local.</summary>
    public bool ExternalLocal { get; init; }

    /// <summary>spec.healthCheckNodePort; 0 without.</summary>
    public int HealthCheckNodePort { get; init; }

    /// <summary>
    /// Seconds of spec.sessionAffinityConfig.clientIP when spec.sessionAffinity is ClientIP (a written 0, which the API refuses, is -1); 0:
    /// no affinity.
    /// </summary>
    public int AffinitySeconds { get; init; }

    /// <summary>
    /// A traffic policy or session affinity that the API does not know, as "field value"; it has the default's meaning. Null without.
    /// </summary>
    public string? UnknownPolicy { get; init; }

    /// <summary>The label service.kubernetes.io/service-proxy-name: another proxy's Service.</summary>
    public string? ProxyName { get; init; }

    /// <summary>The label service.kubernetes.io/headless is present.</summary>
    public bool HeadlessLabel { get; init; }
}

/// <summary>One element of spec.ports.</summary>
public sealed record ServicePortSnapshot(string Name, string Protocol, int Port, int NodePort = 0);
