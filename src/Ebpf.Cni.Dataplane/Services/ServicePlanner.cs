using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// Finds the way from the mirror to the desired state. A desired segment whose content one of its frontends already serves is not written
/// again, so the mirror needs no names of segments and a restart costs no write. A service (all its ports and families) is planned as a whole or not at all.
/// </summary>
public static class ServicePlanner
{
    /// <summary>Reserves the new segments' space in <paramref name="allocator"/>; touches nothing else.</summary>
    /// <exception cref="ArgumentException">A frontend names a segment that is not in <paramref name="desired"/>.</exception>
    public static ApplyPlan Plan(ServiceMirror mirror, DesiredState desired, SegmentAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(mirror);
        ArgumentNullException.ThrowIfNull(desired);
        ArgumentNullException.ThrowIfNull(allocator);
        var (builder, present) = Start(mirror, desired, allocator);
        if (present < mirror.Frontends.Count)
            builder.DeleteUndesired(desired, mirror.Frontends.Keys);
        return builder.Build();
    }

    /// <summary>The same for a mirror that holds exactly the state from which <paramref name="delta"/> leads away: costs what changes.</summary>
    internal static ApplyPlan Plan(ServiceMirror mirror, DesiredDelta delta, SegmentAllocator allocator)
    {
        var (builder, _) = Start(mirror, delta.Changed, allocator);
        if (delta.Left.Count > 0)
            builder.DeleteUndesired(delta.Changed, delta.Left);
        return builder.Build();
    }

    private static (PlanBuilder Builder, int Present) Start(ServiceMirror mirror, DesiredState desired, SegmentAllocator allocator)
    {
        var targets = desired.Segments.ToDictionary(s => s.Key, s => new Target(s));
        var present = MatchServed(mirror, desired, targets);
        var builder = new PlanBuilder(mirror, allocator);
        foreach (var change in FindChanges(mirror, desired, targets))
            builder.Add(change);
        return (builder, present);
    }

    /// <summary>Gives back what a plan reserved and nobody executed.</summary>
    public static void Abandon(ApplyPlan plan, SegmentAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(allocator);
        foreach (var write in plan.Writes)
            allocator.Cancel(write.Segment.Extent);
    }

    /// <summary>Finds segments that already hold what is desired; returns how many desired frontends the kernel knows.</summary>
    private static int MatchServed(ServiceMirror mirror, DesiredState desired, Dictionary<SegmentKey, Target> targets)
    {
        var present = 0;
        foreach (var frontend in desired.Frontends)
        {
            if (!targets.TryGetValue(frontend.Segment, out var target))
                throw new ArgumentException($"frontend {frontend.Key} of {frontend.Owner} names the missing segment {frontend.Segment}", nameof(desired));
            if (!mirror.TryGet(frontend.Key, out var known))
                continue;
            present++;
            target.TryServeBy(known.Segment);
            foreach (var held in known.Held)
                target.TryServeBy(held);
        }
        return present;
    }

    /// <summary>The frontends that the kernel must learn about, by service, in the order of the desired state.</summary>
    private static List<ServiceChange> FindChanges(ServiceMirror mirror, DesiredState desired, Dictionary<SegmentKey, Target> targets)
    {
        var changes = new List<ServiceChange>();
        var byService = new Dictionary<ObjectName, ServiceChange>();
        foreach (var frontend in desired.Frontends)
        {
            var target = targets[frontend.Segment];
            var known = mirror.TryGet(frontend.Key, out var found) ? found : null;
            if (known is { Certain: true } && target.Served && known.Value == target.ValueFor(frontend))
                continue;
            var service = frontend.Owner.Service;
            if (!byService.TryGetValue(service, out var change))
            {
                byService.Add(service, change = new ServiceChange(service));
                changes.Add(change);
            }
            change.Frontends.Add((frontend, target, known is null));
        }
        return changes;
    }

    /// <summary>A desired segment and, once found or allocated, the segment of the table that serves it.</summary>
    internal sealed class Target(DesiredSegment desired)
    {
        public DesiredSegment Desired { get; } = desired;

        public LiveSegment? Live { get; set; }

        /// <summary>No segment has to be written for it.</summary>
        public bool Served => Live is not null || Desired.Backends.IsEmpty;

        public void TryServeBy(LiveSegment? candidate)
        {
            if (!Served && candidate is not null && candidate.Holds(Desired.Key.ServiceId, Desired.Backends))
                Live = candidate;
        }

        public Svc ValueFor(DesiredFrontend frontend) => new(
            Live?.Extent.Offset ?? 0, Live?.Extent.Count ?? 0, Desired.Key.ServiceId, frontend.Flags, frontend.AffinitySec);
    }

    internal sealed record ServiceChange(ObjectName Service)
    {
        public List<(DesiredFrontend Frontend, Target Target, bool IsNew)> Frontends { get; } = [];
    }
}
