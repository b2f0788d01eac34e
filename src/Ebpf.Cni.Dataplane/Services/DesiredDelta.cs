using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The way from one desired state to the next: a compile yields the very same objects for service ports that did not change, and
/// tells of the others (<see cref="DesiredState.PortsSince"/>). Ports that differ and are equal do no harm: they are planned again.
/// </summary>
/// <param name="Changed">The service ports that changed or came, and those owed; sorted by name, as a plan of everything has them.</param>
/// <param name="Left">Frontends that those of the former state had that changed or went away, and those owed a deletion.</param>
/// <param name="LeftRanges">Their source ranges.</param>
internal sealed record DesiredDelta(IReadOnlyList<DesiredPort> Changed, IReadOnlySet<SvcKey> Left, IReadOnlySet<SrangeKey> LeftRanges)
{
    /// <summary>From whatever the kernel holds.</summary>
    public static DesiredDelta Whole(DesiredState desired, ServiceMirror mirror, SourceRangeMirror ranges) =>
        new([.. desired.Ports.Values], mirror.Frontends.Keys.ToHashSet(), ranges.All.ToHashSet());

    /// <param name="before">The state that was planned last.</param>
    /// <param name="after">The state to plan.</param>
    /// <param name="owed">What that plan left undone.</param>
    public static DesiredDelta Between(DesiredState before, DesiredState after, DeferredChanges owed)
    {
        var changed = new SortedDictionary<ServicePortName, DesiredPort>();
        var (left, leftRanges) = (owed.Frontends.ToHashSet(), owed.Ranges.ToHashSet());
        foreach (var name in owed.Ports)
            if (after.Ports.TryGetValue(name, out var port))
                changed.Add(name, port);
        foreach (var (old, now) in after.PortsSince(before))
        {
            if (now is not null)
                changed[now.Name] = now;
            if (old is null)
                continue;
            foreach (var frontend in old.Frontends)
                left.Add(frontend.Key);
            foreach (var range in old.SourceRanges)
                leftRanges.Add(SourceRangeMirror.Key(range));
        }
        return new DesiredDelta([.. changed.Values], left, leftRanges);
    }
}
