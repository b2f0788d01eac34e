using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>What the kernel should hold, sorted; equal snapshots give equal states. The dataplane's only input.</summary>
public sealed record DesiredState
{
    public static readonly DesiredState Empty = new();

    /// <summary>Sorted by (service port, variant). Every frontend's segment is here once.</summary>
    public ImmutableArray<DesiredSegment> Segments { get; init; } = [];

    /// <summary>Sorted by key; keys are unique.</summary>
    public ImmutableArray<DesiredFrontend> Frontends { get; init; } = [];

    /// <summary>Routes to the pods of other nodes, sorted by destination.</summary>
    public ImmutableArray<DesiredRoute> Routes { get; init; } = [];

    /// <summary>Sorted by kind, name, reason; an object has at most one of a reason.</summary>
    public ImmutableArray<CompileIssue> Issues { get; init; } = [];

    /// <summary>The ids after this compile: the input of the next one.</summary>
    public IdTable Ids { get; init; } = IdTable.Empty;
}

/// <summary>Which list of a service port's endpoints a segment holds. Frontends with the same list share it.</summary>
public enum SegmentVariant : byte
{
    /// <summary>All usable endpoints of one family (the Cluster policy's list).</summary>
    ClusterIPv4 = 0,
    ClusterIPv6 = 1,
}

/// <summary>Names a segment; <paramref name="ServiceId"/> is never 0.</summary>
public readonly record struct SegmentKey(uint ServiceId, SegmentVariant Variant);

/// <summary>A backend as compiled: sorted by address, then port; no duplicates inside a segment.</summary>
public readonly record struct DesiredBackend(Addr Addr, U16Be Port, BackendFlags Flags);

/// <summary>The backends of a segment; may be empty: then nobody serves its frontends. Equal by content.</summary>
public sealed record DesiredSegment(SegmentKey Key, ServicePortName Owner, ImmutableArray<DesiredBackend> Backends)
{
    public bool Equals(DesiredSegment? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Key == other.Key && Owner == other.Owner && Backends.AsSpan().SequenceEqual(other.Backends.AsSpan()));

    public override int GetHashCode() => HashCode.Combine(Key, Owner, Backends.Length);
}

/// <summary>A frontend and the segment that serves it.</summary>
public sealed record DesiredFrontend(SvcKey Key, SegmentKey Segment, ServicePortName Owner, SvcFlags Flags, uint AffinitySec);

/// <summary>A route to another node's pods: destination prefix, through that node's address on the shared layer 2.</summary>
public sealed record DesiredRoute(IPNetwork Destination, IPAddress Gateway, string Node);

/// <summary>Why an object, or a part of it, was left out.</summary>
/// <param name="Kind">Service, EndpointSlice or Node.</param>
/// <param name="Name">The object.</param>
/// <param name="Uid">Its uid, for an Event; may be empty.</param>
/// <param name="Reason">CamelCase, stable: the event's reason and the metric's label.</param>
/// <param name="Message">One sentence with the offending value and what was done about it.</param>
public sealed record CompileIssue(string Kind, ObjectName Name, string Uid, string Reason, string Message);
