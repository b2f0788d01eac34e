using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Changes;

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

    /// <summary>How <see cref="Services"/> differ from those of the snapshot taken before; null: not known.</summary>
    public KeyedChanges<ObjectName, ServiceSnapshot>? ServiceChanges { get; init; }

    /// <summary>The same of <see cref="EndpointSlices"/>.</summary>
    public KeyedChanges<ObjectName, EndpointSliceSnapshot>? SliceChanges { get; init; }

    /// <summary>The same objects, whatever is known of their history.</summary>
    public bool IsSame(ClusterSnapshot other) =>
        other is not null && ReferenceEquals(Services, other.Services) && ReferenceEquals(EndpointSlices, other.EndpointSlices)
        && ReferenceEquals(Nodes, other.Nodes);
}
