using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Collects the phases of a plan, service by service; a service that does not fit leaves no trace in them.</summary>
internal sealed class PlanBuilder(ServiceMirror mirror, SourceRangeMirror ranges, SegmentAllocator allocator)
{
    private readonly ImmutableArray<SourceRangeAdd>.Builder _rangeAdds = ImmutableArray.CreateBuilder<SourceRangeAdd>();
    private readonly ImmutableArray<SrangeKey>.Builder _rangeDeletes = ImmutableArray.CreateBuilder<SrangeKey>();
    private readonly ImmutableArray<SegmentWrite>.Builder _writes = ImmutableArray.CreateBuilder<SegmentWrite>();
    private readonly ImmutableArray<FrontendUpdate>.Builder _updates = ImmutableArray.CreateBuilder<FrontendUpdate>();
    private readonly ImmutableArray<SvcKey>.Builder _deletes = ImmutableArray.CreateBuilder<SvcKey>();
    private readonly ImmutableArray<TableFull>.Builder _refusals = ImmutableArray.CreateBuilder<TableFull>();
    private readonly ImmutableArray<ObjectName>.Builder _waiting = ImmutableArray.CreateBuilder<ObjectName>();
    private readonly HashSet<ObjectName> _untouched = [];

    // Deletes come after the additions, so they make no room for this plan's additions.
    private long _room = mirror.FrontendCapacity - mirror.Frontends.Count;
    private long _rangeRoom = ranges.Capacity - ranges.Count;

    public void Add(ServicePlanner.ServiceChange change)
    {
        var added = change.Frontends.Count(f => f.IsNew);
        if (added > _room)
        {
            Refuse(change.Service, TableLimits.Service(mirror.FrontendCapacity, (uint)added, change.Service));
            return;
        }
        var addedRanges = change.Ranges.Count(r => !ranges.Has(r));
        if (addedRanges > _rangeRoom)
        {
            Refuse(change.Service, TableLimits.SourceRange(ranges.Capacity, (uint)addedRanges, change.Service));
            return;
        }
        if (!TryReserve(change))
            return;
        _room -= added;
        _rangeRoom -= addedRanges;
        foreach (var range in change.Ranges)
            _rangeAdds.Add(new SourceRangeAdd(range, change.Service));
        foreach (var (frontend, target, isNew) in change.Frontends)
            _updates.Add(new FrontendUpdate(frontend.Key, target.ValueFor(frontend), target.Live, change.Service, isNew));
    }

    /// <summary>
    /// Deletes those <paramref name="candidates"/> in the kernel that are not desired, except what belongs to a service that keeps its old
    /// state.
    /// </summary>
    public void DeleteUndesired(IEnumerable<DesiredPort> desired, IEnumerable<SvcKey> candidates)
    {
        var wanted = desired.SelectMany(p => p.Frontends).Select(f => f.Key).ToHashSet();
        var keptIds = _untouched.Count == 0 ? [] : desired.Where(p => _untouched.Contains(p.Name.Service)).Select(p => p.Id).ToHashSet();
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

    /// <summary>
    /// Deletes those <paramref name="candidates"/> that are not desired, except those of a service port to which a frontend keeps pointing
    /// that should not: its service, or the one that takes it over, was refused. To be called last.
    /// </summary>
    public void DeleteUndesiredRanges(IEnumerable<DesiredPort> desired, IEnumerable<SrangeKey> candidates)
    {
        var wanted = desired.SelectMany(p => p.SourceRanges).Select(r => SourceRangeMirror.Key(r)).ToHashSet();
        var obsolete = candidates.Where(r => !wanted.Contains(r) && ranges.Has(r)).ToList();
        if (obsolete.Count > 0 && (_untouched.Count == 0 || !KeepRangesOfStaying(desired, obsolete)))
            _rangeDeletes.AddRange(obsolete);
    }

    /// <returns>Whether all must stay: a frontend that stays may lead to any service port.</returns>
    private bool KeepRangesOfStaying(IEnumerable<DesiredPort> desired, List<SrangeKey> obsolete)
    {
        var moving = _updates.Select(u => u.Key).Concat(_deletes).ToHashSet();
        var settled = desired.Where(p => !_untouched.Contains(p.Name.Service)).SelectMany(p => p.Frontends)
            .ToDictionary(f => f.Key, f => f.Segment.ServiceId);
        var staying = mirror.Frontends.Where(f => !moving.Contains(f.Key) && settled.GetValueOrDefault(f.Key) != f.Value.Value.ServiceId)
            .ToList();
        var kept = staying.Select(f => f.Value.Value.ServiceId).ToHashSet();
        obsolete.RemoveAll(r => kept.Contains(r.ServiceId.Host));
        return staying.Exists(f => !f.Value.Certain);
    }

    public ApplyPlan Build() => new()
    {
        RangeAdds = _rangeAdds.DrainToImmutable(),
        RangeDeletes = _rangeDeletes.DrainToImmutable(),
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
            var outcome = allocator.TryAllocate(target.Size, out var extent);
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
            var desired = target.Desired;
            target.Live = new LiveSegment(extent, desired.Key.ServiceId, desired.Owner.Protocol, desired.Backends, desired.Tail);
            _writes.Add(new SegmentWrite(target.Live));
        }
        return true;
    }

    private static uint CountMissing(ServicePlanner.ServiceChange change) =>
        (uint)change.Frontends.Select(f => f.Target).Where(t => !t.Served).Distinct().Sum(t => (long)t.Size);

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
