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

    /// <summary>The label service.kubernetes.io/service-proxy-name: somebody else's service.</summary>
    public string? ProxyName { get; init; }

    /// <summary>The label service.kubernetes.io/headless is present.</summary>
    public bool HeadlessLabel { get; init; }
}

/// <summary>One element of spec.ports.</summary>
public sealed record ServicePortSnapshot(string Name, string Protocol, int Port);
