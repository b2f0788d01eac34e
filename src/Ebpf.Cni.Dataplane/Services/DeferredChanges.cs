using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// What a plan left undone because a table has no room. Everything else the kernel holds as desired, so that with a full table a change
/// costs what changed and what was refused, not the cluster.
/// </summary>
/// <param name="Ports">Service ports that do not have what they should.</param>
/// <param name="Frontends">Frontends that are in the kernel and not desired.</param>
/// <param name="Ranges">Source ranges that are in the kernel and not desired.</param>
internal sealed record DeferredChanges(
    IReadOnlyList<ServicePortName> Ports, IReadOnlyList<SvcKey> Frontends, IReadOnlyList<SrangeKey> Ranges)
{
    public static readonly DeferredChanges Nothing = new([], [], []);

    /// <param name="planned">What was to be done.</param>
    /// <param name="untouched">The services that it was not done for.</param>
    /// <param name="mirror">What the kernel holds now.</param>
    /// <param name="ranges">The source ranges that it holds now.</param>
    public static DeferredChanges After(
        DesiredDelta planned, IReadOnlySet<ObjectName> untouched, ServiceMirror mirror, SourceRangeMirror ranges)
    {
        var wanted = planned.Changed.SelectMany(p => p.Frontends).Select(f => f.Key).ToHashSet();
        var wantedRanges = planned.Changed.SelectMany(p => p.SourceRanges).Select(r => SourceRangeMirror.Key(r)).ToHashSet();
        var left = planned.LeftRanges.Where(r => !wantedRanges.Contains(r) && ranges.Has(r)).ToList();
        // A service port whose ranges stay because a frontend may still lead to it is looked at until they can go.
        var keeping = left.Select(r => r.ServiceId.Host).ToHashSet();
        return new DeferredChanges(
            [.. planned.Changed.Where(p => untouched.Contains(p.Name.Service) || keeping.Contains(p.Id)).Select(p => p.Name)],
            [.. planned.Left.Where(k => !wanted.Contains(k) && mirror.TryGet(k, out _))], left);
    }
}
