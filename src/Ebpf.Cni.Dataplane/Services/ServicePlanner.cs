using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// Plans the transition from the mirror to the desired state. A desired segment whose content one of its frontends already serves is not
/// written again, so the mirror needs no names of segments and a restart costs no write. A service (all its ports and families) is planned
/// as a whole or not at all.
/// </summary>
internal static class ServicePlanner
{
    /// <summary>Reserves the new segments' space in <paramref name="allocator"/>; touches nothing else.</summary>
    /// <exception cref="ArgumentException">A frontend names a segment that its port does not have.</exception>
    public static ApplyPlan Plan(ServiceMirror mirror, SourceRangeMirror ranges, DesiredState desired, SegmentAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(desired);
        var ports = desired.Ports.Values;
        var (builder, present) = Start(mirror, ranges, ports, allocator);
        if (present < mirror.Frontends.Count)
            builder.DeleteUndesired(ports, mirror.Frontends.Keys);
        builder.DeleteUndesiredRanges(ports, ranges.All);
        return builder.Build();
    }

    /// <summary>
    /// The same for a mirror that holds the state from which <paramref name="delta"/> leads away, but for its pending changes: costs what
    /// changes.
    /// </summary>
    public static ApplyPlan Plan(ServiceMirror mirror, SourceRangeMirror ranges, DesiredDelta delta, SegmentAllocator allocator)
    {
        var (builder, _) = Start(mirror, ranges, delta.Changed, allocator);
        if (delta.Left.Count > 0)
            builder.DeleteUndesired(delta.Changed, delta.Left);
        builder.DeleteUndesiredRanges(delta.Changed, delta.LeftRanges);
        return builder.Build();
    }

    /// <returns>The plan without deletions, and how many desired frontends the kernel knows.</returns>
    private static (PlanBuilder Builder, int Present) Start(
        ServiceMirror mirror, SourceRangeMirror ranges, IEnumerable<DesiredPort> ports, SegmentAllocator allocator)
    {
        var (present, changes) = (0, new ChangeList());
        foreach (var port in ports)
        {
            var targets = new Target[port.Segments.Length];
            for (var i = 0; i < targets.Length; i++)
                targets[i] = new Target(port.Segments[i]);
            present += MatchServed(mirror, port, targets);
            FindChanges(mirror, port, targets, changes);
            FindRanges(ranges, port, changes);
        }
        var builder = new PlanBuilder(mirror, ranges, allocator);
        foreach (var change in changes.All)
            builder.Add(change);
        return (builder, present);
    }

    /// <summary>Gives back what an unexecuted plan reserved.</summary>
    public static void Abandon(ApplyPlan plan, SegmentAllocator allocator)
    {
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(allocator);
        foreach (var write in plan.Writes)
            allocator.Cancel(write.Segment.Extent);
    }

    /// <summary>Finds segments that already hold what is desired; returns how many of the port's frontends the kernel knows.</summary>
    private static int MatchServed(ServiceMirror mirror, DesiredPort port, Target[] targets)
    {
        var present = 0;
        foreach (var frontend in port.Frontends)
        {
            var target = TargetOf(frontend, targets);
            if (!mirror.TryGet(frontend.Key, out var known))
                continue;
            present++;
            target.TryServeBy(known.Segment);
            foreach (var held in known.Held)
                target.TryServeBy(held);
        }
        return present;
    }

    private static Target TargetOf(DesiredFrontend frontend, Target[] targets)
    {
        foreach (var target in targets)
            if (target.Desired.Key == frontend.Segment)
                return target;
        throw new ArgumentException(
            $"frontend {frontend.Key} of {frontend.Owner} names the missing segment {frontend.Segment}", nameof(frontend));
    }

    /// <summary>The frontends that the kernel must learn about.</summary>
    private static void FindChanges(ServiceMirror mirror, DesiredPort port, Target[] targets, ChangeList changes)
    {
        foreach (var frontend in port.Frontends)
        {
            var target = TargetOf(frontend, targets);
            var known = mirror.TryGet(frontend.Key, out var found) ? found : null;
            if (known is { Certain: true } && target.Served && known.Value == target.ValueFor(frontend))
                continue;
            changes.Of(port.Name.Service).Frontends.Add((frontend, target, known is null));
        }
    }

    /// <summary>The source ranges that the kernel must learn about.</summary>
    private static void FindRanges(SourceRangeMirror ranges, DesiredPort port, ChangeList changes)
    {
        foreach (var range in port.SourceRanges)
            if (SourceRangeMirror.Key(range) is var key && !ranges.HasCertainly(key))
                changes.Of(port.Name.Service).Ranges.Add(key);
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
            Live?.Extent.Offset ?? 0, (uint)Desired.Backends.Length, Desired.Key.ServiceId, frontend.Flags, frontend.AffinitySec,
            (uint)Desired.Tail.Length);
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
