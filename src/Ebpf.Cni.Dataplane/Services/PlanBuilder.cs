using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Collects the phases of a plan, service by service; a service that does not fit leaves no trace in them.</summary>
internal sealed class PlanBuilder(ServiceMirror mirror, SegmentAllocator allocator)
{
    private readonly ImmutableArray<SegmentWrite>.Builder _writes = ImmutableArray.CreateBuilder<SegmentWrite>();
    private readonly ImmutableArray<FrontendUpdate>.Builder _updates = ImmutableArray.CreateBuilder<FrontendUpdate>();
    private readonly ImmutableArray<SvcKey>.Builder _deletes = ImmutableArray.CreateBuilder<SvcKey>();
    private readonly ImmutableArray<TableFull>.Builder _refusals = ImmutableArray.CreateBuilder<TableFull>();
    private readonly ImmutableArray<ObjectName>.Builder _waiting = ImmutableArray.CreateBuilder<ObjectName>();
    private readonly HashSet<ObjectName> _untouched = [];

    // Deletes come after the additions, so they make no room for this plan's additions.
    private long _room = mirror.FrontendCapacity - mirror.Frontends.Count;

    public void Add(ServicePlanner.ServiceChange change)
    {
        var added = change.Frontends.Count(f => f.IsNew);
        if (added > _room)
        {
            Refuse(change.Service, TableLimits.Service(mirror.FrontendCapacity, (uint)added, change.Service));
            return;
        }
        if (!TryReserve(change))
            return;
        _room -= added;
        foreach (var (frontend, target, isNew) in change.Frontends)
            _updates.Add(new FrontendUpdate(frontend.Key, target.ValueFor(frontend), target.Live, change.Service, isNew));
    }

    /// <summary>Deletes those <paramref name="candidates"/> in the kernel that are not desired, except what belongs to a service that keeps its old state.</summary>
    public void DeleteUndesired(DesiredState desired, IEnumerable<SvcKey> candidates)
    {
        var wanted = desired.Frontends.Select(f => f.Key).ToHashSet();
        var keptIds = _untouched.Count == 0
            ? []
            : desired.Segments.Where(s => _untouched.Contains(s.Owner.Service)).Select(s => s.Key.ServiceId).ToHashSet();
        foreach (var key in candidates)
        {
            if (wanted.Contains(key) || !mirror.TryGet(key, out var known))
                continue;
            var kept = keptIds.Contains(known.Value.ServiceId) || (known.Owner is { } owner && _untouched.Contains(owner));
            if (!kept)
                _deletes.Add(key);
        }
        _deletes.Sort();
    }

    public ApplyPlan Build() => new()
    {
        Writes = _writes.DrainToImmutable(),
        Releases = FindReleases(),
        Updates = _updates.DrainToImmutable(),
        Deletes = _deletes.DrainToImmutable(),
        Refusals = _refusals.DrainToImmutable(),
        Waiting = _waiting.DrainToImmutable(),
    };

    private bool TryReserve(ServicePlanner.ServiceChange change)
    {
        var reserved = new List<(ServicePlanner.Target Target, Extent Extent)>();
        foreach (var target in change.Frontends.Select(f => f.Target).Where(t => !t.Served).Distinct())
        {
            var outcome = allocator.TryAllocate((uint)target.Desired.Backends.Length, out var extent);
            if (outcome == AllocationOutcome.Allocated)
            {
                reserved.Add((target, extent));
                continue;
            }
            foreach (var taken in reserved)
                allocator.Cancel(taken.Extent);
            if (outcome == AllocationOutcome.Resting)
                Wait(change.Service);
            else
                Refuse(change.Service, TableLimits.Backend(allocator.Capacity, CountMissing(change), change.Service));
            return false;
        }
        foreach (var (target, extent) in reserved)
        {
            target.Live = new LiveSegment(extent, target.Desired.Key.ServiceId, target.Desired.Backends);
            _writes.Add(new SegmentWrite(target.Live));
        }
        return true;
    }

    private static uint CountMissing(ServicePlanner.ServiceChange change) =>
        (uint)change.Frontends.Select(f => f.Target).Where(t => !t.Served).Distinct().Sum(t => (long)t.Desired.Backends.Length);

    private void Refuse(ObjectName service, TableFull why)
    {
        _untouched.Add(service);
        _refusals.Add(why);
    }

    private void Wait(ObjectName service)
    {
        _untouched.Add(service);
        _waiting.Add(service);
    }

    private ImmutableArray<LiveSegment> FindReleases()
    {
        var left = new Dictionary<LiveSegment, int>();
        foreach (var key in _updates.Select(u => u.Key).Concat(_deletes))
        {
            if (!mirror.TryGet(key, out var known))
                continue;
            Leave(known.Segment);
            foreach (var held in known.Held)
                Leave(held);
        }
        foreach (var update in _updates)
            if (update.Segment is not null && left.TryGetValue(update.Segment, out var references))
                left[update.Segment] = references + 1;
        return [.. left.Where(p => p.Value == 0).Select(p => p.Key).OrderBy(s => s.Extent.Offset)];

        void Leave(LiveSegment? segment)
        {
            if (segment is not null)
                left[segment] = left.GetValueOrDefault(segment, segment.References) - 1;
        }
    }
}
