using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The way from one desired state to the next: a compile yields the very same objects for service ports that did not change, and
/// tells of the others (<see cref="DesiredState.PortsSince"/>). Ports that differ and are equal do no harm: they are planned again.
/// </summary>
/// <param name="Changed">The service ports that changed or came.</param>
/// <param name="Left">Frontends that those of the former state had that changed or went away.</param>
/// <param name="LeftRanges">Their source ranges.</param>
internal sealed record DesiredDelta(List<DesiredPort> Changed, List<SvcKey> Left, List<SrangeKey> LeftRanges)
{
    public static DesiredDelta Between(DesiredState before, DesiredState after)
    {
        var delta = new DesiredDelta([], [], []);
        foreach (var (old, now) in after.PortsSince(before))
        {
            if (now is not null)
                delta.Changed.Add(now);
            if (old is null)
                continue;
            foreach (var frontend in old.Frontends)
                delta.Left.Add(frontend.Key);
            foreach (var range in old.SourceRanges)
                delta.LeftRanges.Add(SourceRangeMirror.Key(range));
        }
        return delta;
    }
}
