using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Write a segment into unreferenced space.</summary>
public sealed record SegmentWrite(LiveSegment Segment);

/// <summary>Add a frontend, or switch it to another value.</summary>
/// <param name="Key">The frontend.</param>
/// <param name="Value">What it gets.</param>
/// <param name="Segment">Where it will point; null without backends.</param>
/// <param name="Owner">The service it belongs to.</param>
/// <param name="IsNew">The kernel does not hold it yet.</param>
public sealed record FrontendUpdate(SvcKey Key, Svc Value, LiveSegment? Segment, ObjectName Owner, bool IsNew);

/// <summary>Let the clients of a prefix use a service port.</summary>
public sealed record SourceRangeAdd(SrangeKey Key, ObjectName Owner);

/// <summary>
/// The transition from the kernel's state to the desired one, as data. The phases are executed in this order, and stopping anywhere leaves
/// every frontend with its complete old backends or its complete new ones:
/// add source ranges → write new segments (into free space) → add and switch frontends → delete frontends → delete source ranges that no
/// frontend needs any more → release unreferenced segments.
/// </summary>
public sealed record ApplyPlan
{
    /// <summary>Before the frontends that ask for them: at no moment is a client kept out that is in the old and in the new list.</summary>
    public ImmutableArray<SourceRangeAdd> RangeAdds { get; init; } = [];

    public ImmutableArray<SegmentWrite> Writes { get; init; } = [];

    public ImmutableArray<FrontendUpdate> Updates { get; init; } = [];

    public ImmutableArray<SvcKey> Deletes { get; init; } = [];

    public ImmutableArray<SrangeKey> RangeDeletes { get; init; } = [];

    /// <summary>Segments that lose their last frontend if everything succeeds. They rest before their space is used again.</summary>
    public ImmutableArray<LiveSegment> Releases { get; init; } = [];

    /// <summary>Services that do not fit.</summary>
    public ImmutableArray<TableFull> Refusals { get; init; } = [];

    /// <summary>Services whose new segments fit once what rests is free.</summary>
    public ImmutableArray<ObjectName> Waiting { get; init; } = [];

    public bool IsEmpty => RangeAdds.IsEmpty && Writes.IsEmpty && Updates.IsEmpty && Deletes.IsEmpty && RangeDeletes.IsEmpty;
}
