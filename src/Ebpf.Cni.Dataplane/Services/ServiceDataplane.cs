using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Observe;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The service tables: restored from what the kernel holds, brought to a desired state by plans. Until the first <see cref="Apply"/>, which
/// the caller makes with complete lists only, nothing is changed. What rested when a former agent ended counts as free: starting takes
/// longer than any program runs. Thread-safe.
/// </summary>
public sealed class ServiceDataplane
{
    private readonly Lock _lock = new();
    private readonly ServiceTables _tables;
    private readonly ServiceMirror _mirror;
    private readonly SourceRangeMirror _ranges;
    private readonly SegmentAllocator _allocator;

    /// <summary>
    /// What the kernel is known to hold, but for pending changes; null when a write failed or something was found to differ.
    /// </summary>
    private DesiredState? _known;
    private DeferredChanges _pending = DeferredChanges.Nothing;

    /// <summary>Reads the tables; writes nothing.</summary>
    /// <param name="tables">Frontends, backends, source ranges.</param>
    /// <param name="rest">How long the space of a released segment rests if it is not needed sooner.</param>
    /// <param name="time">The clock that measures the rest.</param>
    internal ServiceDataplane(ServiceTables tables, TimeSpan rest, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(tables);
        _tables = tables;
        _allocator = new SegmentAllocator(tables.Backends.Length, rest, time, tables.WaitForReaders);
        (_mirror, Restored) = new ServiceRestorer(tables.Frontends, tables.Backends).Restore(_allocator);
        _ranges = SourceRangeMirror.Restore(tables.SourceRanges);
        RestoredIds = ReadIds(_mirror);
    }

    /// <summary>
    /// Backends that sockets were ever translated to, by service port; read once, by the first apply. It finds backends that were removed
    /// while no agent ran, or whose removal an agent did not finish.
    /// </summary>
    internal Func<IEnumerable<RemovedBackend>>? Reached { get; set; }

    /// <summary>What was found at start.</summary>
    public RestoreReport Restored { get; }

    /// <summary>The ids found at start: the first compile's input.</summary>
    public IdTable RestoredIds { get; }

    /// <summary>
    /// Brings the tables to the desired state; what fails or does not fit is in the result, and pending for the next call.
    /// </summary>
    /// <exception cref="ArgumentException">The desired state contradicts itself; nothing was written.</exception>
    public ApplyResult Apply(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        lock (_lock)
        {
            if (ReferenceEquals(desired, _known) && _pending == DeferredChanges.Nothing)
                return new ApplyResult();
            var delta = _known is null ? null : DesiredDelta.Between(_known, desired, _pending);
            _known = null;
            var plan = Plan(desired, delta);
            var result = Execute(plan);
            // What this pass deleted or released may be the room that it lacked (or will be, after its rest).
            if (!plan.Refusals.IsEmpty && (result.FrontendsDeleted > 0 || result.SourceRangesDeleted > 0 || !plan.Releases.IsEmpty))
            {
                plan = Plan(desired, delta);
                result = result.Then(Execute(plan));
            }
            result = AddForgotten(result);
            Settle(desired, delta, plan, result);
            // Only what waits for released space is served by time; what a full table refuses is when something changes.
            return result.Complete ? result : result with { RetryAfter = result.Waiting.IsEmpty ? null : _allocator.NextRelease };
        }
    }

    /// <summary>A plan that foresaw what did not fit leaves nothing else undone; after an error everything is compared.</summary>
    private void Settle(DesiredState desired, DesiredDelta? delta, ApplyPlan plan, ApplyResult result)
    {
        if (!result.Errors.IsEmpty || result.Refusals.Length > plan.Refusals.Length)
            return;
        _known = desired;
        if (result.Complete)
        {
            _pending = DeferredChanges.Nothing;
            return;
        }

        var untouched = result.Refusals.Select(r => r.Service).Concat(result.Waiting).ToHashSet();
        _pending = DeferredChanges.After(delta ?? DesiredDelta.Whole(desired, _mirror, _ranges), untouched, _mirror, _ranges);
    }

    /// <summary>What an apply would do now; for display. Changes nothing.</summary>
    public ApplyPlan Preview(DesiredState desired)
    {
        lock (_lock)
        {
            var plan = ServicePlanner.Plan(_mirror, _ranges, desired, _allocator);
            ServicePlanner.Abandon(plan, _allocator);
            return plan;
        }
    }

    /// <summary>Reads everything back; what differs from our knowledge is counted, and repaired by the next apply.</summary>
    public DriftReport Verify()
    {
        lock (_lock)
        {
            _known = null;
            var drift = ServiceVerifier.Verify(_tables.Frontends, _tables.Backends, _mirror) with
                { SourceRanges = _ranges.Verify(_tables.SourceRanges) };
            foreach (var segment in _mirror.CollectUnreferenced())
                _allocator.Release(segment.Extent);
            return drift;
        }
    }

    /// <summary>Entries and sizes of the tables. What rests is free when it is needed.</summary>
    public (TableUsage Frontends, TableUsage Backends, TableUsage SourceRanges) Usage()
    {
        lock (_lock)
        {
            return (new TableUsage(MapNames.Service, (uint)_mirror.Frontends.Count, _mirror.FrontendCapacity),
                new TableUsage(MapNames.Backend, _allocator.Used, _allocator.Capacity),
                new TableUsage(MapNames.SourceRange, (uint)_ranges.Count, _ranges.Capacity));
        }
    }

    /// <summary>Frontends joined with their backends, read from the tables and sorted by key; for people and tests.</summary>
    /// <param name="only">Frontends to read; null: all of them.</param>
    public ImmutableArray<ServiceView> ReadServices(Func<SvcKey, Svc, bool>? only = null)
    {
        lock (_lock)
            return ServiceView.Read(_tables.Frontends, _tables.Backends, only);
    }

    /// <summary>Frontends without their backends, in no order: what is counted needs no more.</summary>
    public IReadOnlyList<KeyValuePair<SvcKey, Svc>> ReadFrontends() => _tables.Frontends.ReadAll();

    /// <summary>Who may use the service ports of these ids, from the table.</summary>
    public ImmutableArray<SrangeKey> ReadSourceRanges(IReadOnlySet<uint> serviceIds) =>
        [.. _tables.SourceRanges.ReadAll().Select(r => r.Key).Where(k => serviceIds.Contains(k.ServiceId.Host))];

    private ApplyPlan Plan(DesiredState desired, DesiredDelta? delta) => delta is null
        ? ServicePlanner.Plan(_mirror, _ranges, desired, _allocator)
        : ServicePlanner.Plan(_mirror, _ranges, delta, _allocator);

    private ApplyResult Execute(ApplyPlan plan) => new PlanExecutor(_tables, _mirror, _ranges, _allocator).Execute(plan);

    private ApplyResult AddForgotten(ApplyResult result)
    {
        if (Reached is not { } reached)
            return result;
        var gone = reached().Where(r => !_mirror.SegmentsOf(r.ServiceId).Any(
            s => !s.Trusted || s.Protocol != r.Protocol || s.All.Any(b => b.Addr == r.Addr && b.Port == r.Port))).ToList();
        Reached = null; // only now: if the table could not be read, the next apply asks again
        return result with { RemovedBackends = [.. result.RemovedBackends.Union(gone)] };
    }

    private static IdTable ReadIds(ServiceMirror mirror)
    {
        // The id of a broken entry proves nothing.
        var ids = mirror.Frontends.Where(f => f.Value.Certain).ToImmutableDictionary(f => f.Key, f => f.Value.Value.ServiceId);
        var highest = ids.Values.DefaultIfEmpty().Max();
        return IdTable.Empty with { Restored = ids, Next = highest == uint.MaxValue ? 1 : highest + 1 };
    }
}
