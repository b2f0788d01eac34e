using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>What the compiler reads of a v1 Node.</summary>
public sealed record NodeSnapshot
{
    public required string Name { get; init; }
    public string Uid { get; init; } = "";

    /// <summary>spec.podCIDRs, else [spec.podCIDR].</summary>
    public ImmutableArray<string> PodCidrs { get; init; } = [];

    /// <summary>status.addresses of type InternalIP, in the API's order.</summary>
    public ImmutableArray<string> InternalIPs { get; init; } = [];

    /// <summary>status.addresses of type ExternalIP.</summary>
    public ImmutableArray<string> ExternalIPs { get; init; } = [];

    /// <summary>The label topology.kubernetes.io/zone; "" without.</summary>
    public string Zone { get; init; } = "";

    /// <summary>
    /// The node is going away: metadata.deletionTimestamp is set, or it has the taint ToBeDeletedByClusterAutoscaler (KEP-3836).
    /// </summary>
    public bool BeingDeleted { get; init; }
}
