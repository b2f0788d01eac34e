using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>
/// One service port as the kernel should hold it: where it is served, by whom, and for whom. Immutable; a compile
/// that changes nothing about it yields the same object, and the same objects for those of its parts that stay.
/// </summary>
/// <param name="Name">Whose.</param>
/// <param name="Id">Never 0; no two ports of a state have the same.</param>
/// <param name="Frontends">Sorted by key; not empty. No other port of the state has one of these keys.</param>
/// <param name="Segments">Sorted by variant; each is some frontend's, and every frontend's is here.</param>
/// <param name="SourceRanges">Of its frontends with <see cref="Abi.SvcFlags.SourceRanges"/>; sorted by prefix.</param>
public sealed record DesiredPort(
    ServicePortName Name,
    uint Id,
    ImmutableArray<DesiredFrontend> Frontends,
    ImmutableArray<DesiredSegment> Segments,
    ImmutableArray<DesiredSourceRange> SourceRanges)
{
    public bool Equals(DesiredPort? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Id == other.Id && Name == other.Name && Frontends.AsSpan().SequenceEqual(other.Frontends.AsSpan())
            && Segments.AsSpan().SequenceEqual(other.Segments.AsSpan())
            && SourceRanges.AsSpan().SequenceEqual(other.SourceRanges.AsSpan()));

    public override int GetHashCode() => HashCode.Combine(Name, Id, Frontends.Length);
}

/// <summary>A service port that is not the same object in two states.</summary>
/// <param name="Before">Null: it came.</param>
/// <param name="After">Null: it went.</param>
public readonly record struct PortChange(DesiredPort? Before, DesiredPort? After);
