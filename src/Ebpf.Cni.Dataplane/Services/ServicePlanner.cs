using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// Finds the way from the mirror to the desired state. A desired segment whose content one of its frontends already serves is not written
/// again, so the mirror needs no names of segments and a restart costs no write. A service (all its ports and families) is planned as a whole or not at all.
/// </summary>
internal static class ServicePlanner
{
    /// <summary>Reserves the new segments' space in <paramref name="allocator"/>; touches nothing else.</summary>
    /// <exception cref="ArgumentException">A frontend names a segment that is not in <paramref name="desired"/>.</exception>
    public static ApplyPlan Plan(ServiceMirror mirror, SourceRangeMirror ranges, DesiredState desired, SegmentAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(desired);
        var (builder, present) = Start(mirror, ranges, desired, allocator);
        if (present < mirror.Frontends.Count)
            builder.DeleteUndesired(desired, mirror.Frontends.Keys);
        builder.DeleteUndesiredRanges(desired, ranges.All);
        return builder.Build();
    }

    /// <summary>The same for a mirror that holds exactly the state from which <paramref name="delta"/> leads away: costs what changes.</summary>
    public static ApplyPlan Plan(ServiceMirror mirror, SourceRangeMirror ranges, DesiredDelta delta, SegmentAllocator allocator)
    {
        var (builder, _) = Start(mirror, ranges, delta.Changed, allocator);
        if (delta.Left.Count > 0)
            builder.DeleteUndesired(delta.Changed, delta.Left);
        builder.DeleteUndesiredRanges(delta.Changed, delta.LeftRanges);
        return builder.Build();
    }

    private static (PlanBuilder Builder, int Present) Start(
        ServiceMirror mirror, SourceRangeMirror ranges, DesiredState desired, SegmentAllocator allocator)
    {
        var targets = desired.Segments.ToDictionary(s => s.Key, s => new Target(s));
        var present = MatchServed(mirror, desired, targets);
        var changes = new ChangeList();
        FindChanges(mirror, desired, targets, changes);
        FindRanges(ranges, desired, changes);
        var builder = new PlanBuilder(mirror, ranges, allocator);
        foreach (var change in changes.All)
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
    private static void FindChanges(ServiceMirror mirror, DesiredState desired, Dictionary<SegmentKey, Target> targets, ChangeList changes)
    {
        foreach (var frontend in desired.Frontends)
        {
            var target = targets[frontend.Segment];
            var known = mirror.TryGet(frontend.Key, out var found) ? found : null;
            if (known is { Certain: true } && target.Served && known.Value == target.ValueFor(frontend))
                continue;
            changes.Of(frontend.Owner.Service).Frontends.Add((frontend, target, known is null));
        }
    }

    /// <summary>The source ranges that the kernel must learn about. One of a service port without frontends keeps nobody out and is passed over.</summary>
    private static void FindRanges(SourceRangeMirror ranges, DesiredState desired, ChangeList changes)
    {
        Dictionary<uint, ObjectName>? owners = null;
        foreach (var range in desired.SourceRanges)
        {
            var key = SourceRangeMirror.Key(range);
            if (ranges.HasCertainly(key))
                continue;
            owners ??= desired.Segments.DistinctBy(s => s.Key.ServiceId).ToDictionary(s => s.Key.ServiceId, s => s.Owner.Service);
            if (owners.TryGetValue(range.ServiceId, out var owner))
                changes.Of(owner).Ranges.Add(key);
        }
    }

    /// <summary>A desired segment and, once found or allocated, the segment of the table that serves it.</summary>
    internal sealed class Target(DesiredSegment desired)
    {
        public DesiredSegment Desired { get; } = desired;

        public LiveSegment? Live { get; set; }

        /// <summary>Elements that it takes.</summary>
        public uint Size => (uint)(Desired.Backends.Length + Desired.Tail.Length);

        /// <summary>No segment has to be written for it.</summary>
        public bool Served => Live is not null || Size == 0;

        public void TryServeBy(LiveSegment? candidate)
        {
            if (!Served && candidate is not null && candidate.Holds(Desired.Key.ServiceId, Desired))
                Live = candidate;
        }

        public Svc ValueFor(DesiredFrontend frontend) => new(
            Live?.Extent.Offset ?? 0, (uint)Desired.Backends.Length, Desired.Key.ServiceId, frontend.Flags, frontend.AffinitySec, (uint)Desired.Tail.Length);
    }

    internal sealed record ServiceChange(ObjectName Service)
    {
        public List<(DesiredFrontend Frontend, Target Target, bool IsNew)> Frontends { get; } = [];

        public List<SrangeKey> Ranges { get; } = [];
    }

    /// <summary>By service, in the order in which they were first named.</summary>
    private sealed class ChangeList
    {
        private readonly Dictionary<ObjectName, ServiceChange> _byService = [];

        public List<ServiceChange> All { get; } = [];

        public ServiceChange Of(ObjectName service)
        {
            if (!_byService.TryGetValue(service, out var change))
            {
                _byService.Add(service, change = new ServiceChange(service));
                All.Add(change);
            }
            return change;
        }
    }
}
