using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>The cluster as the watches last showed it: immutable, in the compiler's order.</summary>
public sealed record ClusterSnapshot
{
    public static readonly ClusterSnapshot Empty = new();

    public ImmutableSortedDictionary<ObjectName, ServiceSnapshot> Services { get; init; } =
        ImmutableSortedDictionary<ObjectName, ServiceSnapshot>.Empty;

    public ImmutableSortedDictionary<ObjectName, EndpointSliceSnapshot> EndpointSlices { get; init; } =
        ImmutableSortedDictionary<ObjectName, EndpointSliceSnapshot>.Empty;

    public ImmutableSortedDictionary<string, NodeSnapshot> Nodes { get; init; } =
        ImmutableSortedDictionary.Create<string, NodeSnapshot>(StringComparer.Ordinal);
}
