using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The difference between one desired state and the next: a compile yields the very same objects for service ports that did not change, and
/// lists the others (<see cref="DesiredState.PortsSince"/>). Ports that differ and are equal do no harm: they are planned again.
/// </summary>
/// <param name="Changed">
/// The service ports that changed or came, and pending ones; sorted by name, as a plan of everything has them.
/// </param>
/// <param name="Left">Frontends that those of the former state had that changed or went away, and pending deletions.</param>
/// <param name="LeftRanges">Their source ranges.</param>
internal sealed record DesiredDelta(IReadOnlyList<DesiredPort> Changed, IReadOnlySet<SvcKey> Left, IReadOnlySet<SrangeKey> LeftRanges)
{
    /// <summary>From whatever the kernel holds.</summary>
    public static DesiredDelta Whole(DesiredState desired, ServiceMirror mirror, SourceRangeMirror ranges) =>
        new([.. desired.Ports.Values], mirror.Frontends.Keys.ToHashSet(), ranges.All.ToHashSet());

    /// <param name="before">The state that was planned last.</param>
    /// <param name="after">The state to plan.</param>
    /// <param name="pending">What that plan left undone.</param>
    public static DesiredDelta Between(DesiredState before, DesiredState after, DeferredChanges pending)
    {
        var changed = new SortedDictionary<ServicePortName, DesiredPort>();
        var (left, leftRanges) = (pending.Frontends.ToHashSet(), pending.Ranges.ToHashSet());
        foreach (var name in pending.Ports)
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
