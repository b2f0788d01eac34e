using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The way from one desired state to the next. A compile yields the very same objects for service ports that did not change, so comparing
/// references finds the others in one walk that allocates for what changed only. Objects that differ and are equal do no harm: they are planned again.
/// </summary>
/// <param name="Changed">All segments and frontends of the service ports that changed.</param>
/// <param name="Left">Frontends of the former state that changed or went away.</param>
/// <param name="LeftRanges">Source ranges of the former state that went away.</param>
internal sealed record DesiredDelta(DesiredState Changed, List<SvcKey> Left, List<SrangeKey> LeftRanges)
{
    public static DesiredDelta Between(DesiredState before, DesiredState after)
    {
        var ids = new HashSet<uint>();
        var left = new List<SvcKey>();
        Walk(before.Segments, after.Segments, Compare, s => ids.Add(s.Key.ServiceId), s => ids.Add(s.Key.ServiceId));
        Walk(before.Frontends, after.Frontends, static (a, b) => a.Key.CompareTo(b.Key), Leave, f => ids.Add(f.Segment.ServiceId));
        var leftRanges = CompareRanges(before.SourceRanges, after.SourceRanges, ids);
        return new DesiredDelta(
            new DesiredState
            {
                Segments = Of(after.Segments, s => ids.Contains(s.Key.ServiceId)),
                Frontends = Of(after.Frontends, f => ids.Contains(f.Segment.ServiceId)),
                SourceRanges = Of(after.SourceRanges, r => ids.Contains(r.ServiceId)),
            },
            left,
            leftRanges);

        void Leave(DesiredFrontend frontend)
        {
            ids.Add(frontend.Segment.ServiceId);
            left.Add(frontend.Key);
        }
    }

    /// <summary>Few services have ranges and fewer change them: mostly the two lists are equal.</summary>
    /// <returns>What went away.</returns>
    private static List<SrangeKey> CompareRanges(ImmutableArray<DesiredSourceRange> before, ImmutableArray<DesiredSourceRange> after, HashSet<uint> ids)
    {
        if (before == after || before.AsSpan().SequenceEqual(after.AsSpan()))
            return [];
        var gone = before.Except(after).ToList();
        ids.UnionWith(gone.Select(r => r.ServiceId));
        ids.UnionWith(after.Except(before).Select(r => r.ServiceId));
        return gone.ConvertAll(r => SourceRangeMirror.Key(r));
    }

    /// <summary>Pairs equal references of two sorted lists and reports all others; out of order it would pair less, never wrongly.</summary>
    private static void Walk<T>(
        ImmutableArray<T> before, ImmutableArray<T> after, Comparison<T> order, Action<T> onlyBefore, Action<T> onlyAfter) where T : class
    {
        int i = 0, j = 0;
        while (i < before.Length && j < after.Length)
        {
            if (ReferenceEquals(before[i], after[j]))
            {
                i++;
                j++;
                continue;
            }
            var c = order(before[i], after[j]);
            if (c <= 0)
                onlyBefore(before[i++]);
            if (c >= 0)
                onlyAfter(after[j++]);
        }
        while (i < before.Length)
            onlyBefore(before[i++]);
        while (j < after.Length)
            onlyAfter(after[j++]);
    }

    private static int Compare(DesiredSegment a, DesiredSegment b)
    {
        var c = a.Owner.CompareTo(b.Owner);
        return c != 0 ? c : a.Key.Variant.CompareTo(b.Key.Variant);
    }

    private static ImmutableArray<T> Of<T>(ImmutableArray<T> all, Predicate<T> isChanged)
    {
        var found = ImmutableArray.CreateBuilder<T>();
        foreach (var one in all)
            if (isChanged(one))
                found.Add(one);
        return found.DrainToImmutable();
    }
}
