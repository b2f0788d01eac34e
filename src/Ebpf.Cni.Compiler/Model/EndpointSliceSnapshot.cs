using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>What the compiler reads of a discovery.k8s.io/v1 EndpointSlice.</summary>
public sealed record EndpointSliceSnapshot
{
    public required ObjectName Name { get; init; }
    public string Uid { get; init; } = "";

    /// <summary>The label kubernetes.io/service-name: the service it belongs to, in its own namespace; null when missing.</summary>
    public string? ServiceName { get; init; }

    /// <summary>IPv4, IPv6 or FQDN.</summary>
    public string AddressType { get; init; } = "IPv4";

    /// <summary>The label service.kubernetes.io/service-proxy-name: another proxy's slice.</summary>
    public string? ProxyName { get; init; }

    /// <summary>The label service.kubernetes.io/headless is present.</summary>
    public bool HeadlessLabel { get; init; }

    public ImmutableArray<EndpointPortSnapshot> Ports { get; init; } = [];
    public ImmutableArray<EndpointSnapshot> Endpoints { get; init; } = [];

    /// <summary>
    /// The annotation endpoints.kubernetes.io/last-change-trigger-time, for the network programming SLI; null when absent or unreadable.
    /// </summary>
    public DateTimeOffset? LastChangeTriggerTime { get; init; }
}

/// <summary>One element of ports. A null port means "all ports" in the API and is not usable for a service.</summary>
public sealed record EndpointPortSnapshot(string Name, string Protocol, int? Port);

/// <summary>One element of endpoints, its conditions resolved as the API documents them: absent ready and serving are true.</summary>
public sealed record EndpointSnapshot(ImmutableArray<string> Addresses, bool Ready, bool Serving, bool Terminating, string? NodeName)
{
    /// <summary>hints.forNodes, by name.</summary>
    public ImmutableArray<string> HintNodes { get; init; } = [];

    /// <summary>hints.forZones, by name.</summary>
    public ImmutableArray<string> HintZones { get; init; } = [];
}
