using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>The tables of services in the kernel.</summary>
internal sealed record ServiceTables(
    IKeyedTable<SvcKey, Svc> Frontends, IBackendArray Backends, IKeyedTable<SrangeKey, Srange> SourceRanges)
{
    /// <summary>Announces to the programs that frontends are about to change; disposed when they have.</summary>
    public Func<IDisposable>? Changing { get; init; }

    /// <summary>
    /// Returns when no program runs any more that runs now, with what it has read of the tables; false if that could not be waited for.
    /// </summary>
    public Func<bool>? WaitForReaders { get; init; }
}

/// <summary>
/// Carries out a plan, once. A failure concerns its own entry only; the mirrors record what is certain after each write, so the next plan
/// has exactly the rest.
/// </summary>
internal sealed class PlanExecutor(ServiceTables tables, ServiceMirror mirror, SourceRangeMirror ranges, SegmentAllocator allocator)
{
    /// <summary>A segment is written piece by piece: a large one should not need as much memory again.</summary>
    private const int Piece = 1024;

    private static readonly Srange Allowed = new(Allow: 1);

    private readonly ImmutableArray<ApplyError>.Builder _errors = ImmutableArray.CreateBuilder<ApplyError>();
    private readonly List<TableFull> _refusals = [];

    /// <summary>Service ports that may have a range too few.</summary>
    private readonly HashSet<uint> _incomplete = [];

    /// <summary>Service ports of which a frontend may still be the old one.</summary>
    private readonly HashSet<uint> _doubtful = [];

    /// <summary>A frontend may belong to a service port that no longer exists.</summary>
    private bool _lost;
    private Backend[] _buffer = [];
    private int _backendsWritten;

    public ApplyResult Execute(ApplyPlan plan)
    {
        var rangesAdded = AddRanges(plan.RangeAdds);
        foreach (var write in plan.Writes)
            Write(write.Segment);
        int added, switched, deleted;
        using (plan.Updates.IsEmpty && plan.Deletes.IsEmpty ? null : tables.Changing?.Invoke())
        {
            (added, switched) = Update(plan.Updates);
            deleted = Delete(plan.Deletes);
        }
        var rangesDeleted = DeleteRanges(plan.RangeDeletes);
        var gone = Release(plan);
        return new ApplyResult
        {
            SegmentsWritten = plan.Writes.Length,
            BackendsWritten = _backendsWritten,
            FrontendsAdded = added,
            FrontendsSwitched = switched,
            FrontendsDeleted = deleted,
            SourceRangesAdded = rangesAdded,
            SourceRangesDeleted = rangesDeleted,
            RemovedBackends = gone,
            Refusals = [.. plan.Refusals, .. _refusals],
            Waiting = plan.Waiting,
            Errors = _errors.DrainToImmutable(),
        };
    }

    private int AddRanges(ImmutableArray<SourceRangeAdd> adds)
    {
        if (adds.IsEmpty)
            return 0;
        var keys = adds.Select(a => a.Key).ToArray();
        var values = new Srange[keys.Length];
        Array.Fill(values, Allowed);
        return Batches.Run(keys.Length, next => tables.SourceRanges.Update(keys.AsSpan(next), values.AsSpan(next)),
            i => ranges.Set(keys[i]), (i, outcome) =>
        {
            ranges.Doubt(keys[i]);
            _incomplete.Add(keys[i].ServiceId.Host);
            if (outcome.Full)
                _refusals.Add(TableLimits.SourceRange(ranges.Capacity, 1, adds[i].Owner));
            else
                _errors.Add(new ApplyError($"add a source range of {adds[i].Owner}", outcome.Error!));
        });
    }

    private void Write(LiveSegment segment)
    {
        var count = (int)segment.Extent.Count;
        if (_buffer.Length < Math.Min(count, Piece))
            _buffer = new Backend[Math.Clamp(count, 64, Piece)];
        for (var first = 0; first < count; first += _buffer.Length)
        {
            var content = _buffer.AsSpan(0, Math.Min(count - first, _buffer.Length));
            segment.Render(first, content);
            tables.Backends.Write(segment.Extent.Offset + (uint)first, content);
        }
        _backendsWritten += count;
    }

    private (int Added, int Switched) Update(ImmutableArray<FrontendUpdate> planned)
    {
        // Without one of its ranges a frontend would keep clients out that may come in: it keeps what it has.
        var updates = _incomplete.Count == 0 ? planned : planned.RemoveAll(IsIncomplete);
        var keys = updates.Select(u => u.Key).ToArray();
        var values = updates.Select(u => u.Value).ToArray();
        int added = 0, switched = 0;
        Batches.Run(keys.Length, next => tables.Frontends.Update(keys.AsSpan(next), values.AsSpan(next)), i =>
        {
            var done = updates[i];
            mirror.Set(done.Key, done.Value, done.Segment, done.Owner);
            _ = done.IsNew ? added++ : switched++;
        }, (i, outcome) =>
        {
            var failed = updates[i];
            Suspect(failed.Key);
            mirror.Doubt(failed.Key, failed.Value, failed.Segment, failed.Owner);
            if (outcome.Full)
                _refusals.Add(TableLimits.Service(tables.Frontends.Capacity, 1, failed.Owner));
            else
                _errors.Add(new ApplyError($"update frontend {failed.Key} of {failed.Owner}", outcome.Error!));
        });
        return (added, switched);
    }

    private bool IsIncomplete(FrontendUpdate update)
    {
        if (!update.Value.Flags.HasFlag(SvcFlags.SourceRanges) || !_incomplete.Contains(update.Value.ServiceId))
            return false;
        Suspect(update.Key);
        return true;
    }

    private int Delete(ImmutableArray<SvcKey> keys) => Batches.Run(
        keys.Length, next => tables.Frontends.Delete(keys.AsSpan()[next..]), i => mirror.Remove(keys[i]), (i, outcome) =>
        {
            Suspect(keys[i]);
            mirror.Doubt(keys[i]);
            _errors.Add(new ApplyError($"delete frontend {keys[i]}", outcome.Error!));
        });

    private int DeleteRanges(ImmutableArray<SrangeKey> planned)
    {
        if (planned.IsEmpty)
            return 0;
        // A frontend that may still ask for them keeps them; the next plan finds them again, since an error makes it look at everything.
        var keys = planned.RemoveAll(k => _lost || _incomplete.Contains(k.ServiceId.Host) || _doubtful.Contains(k.ServiceId.Host));
        return Batches.Run(keys.Length, next => tables.SourceRanges.Delete(keys.AsSpan()[next..]), i => ranges.Remove(keys[i]),
            (i, outcome) =>
        {
            ranges.Doubt(keys[i]);
            _errors.Add(new ApplyError($"delete a source range of service {keys[i].ServiceId.Host}", outcome.Error!));
        });
    }

    private void Suspect(in SvcKey key)
    {
        if (!mirror.TryGet(key, out var known))
            return;
        _doubtful.Add(known.Value.ServiceId);
        _lost |= !known.Certain;
    }

    /// <returns>Backends that no segment of their service port has any more.</returns>
    private ImmutableArray<RemovedBackend> Release(ApplyPlan plan)
    {
        // Segments that no frontend took up: no reader ever saw them.
        foreach (var write in plan.Writes)
            if (write.Segment.References == 0)
                allocator.Cancel(write.Segment.Extent);
        var gone = new HashSet<RemovedBackend>();
        foreach (var segment in mirror.CollectUnreferenced())
        {
            allocator.Release(segment.Extent);
            if (segment.Protocol is IpProtocol.Udp or IpProtocol.Sctp)
                gone.UnionWith(segment.All.Select(b => new RemovedBackend(segment.ServiceId, b.Addr, b.Port, segment.Protocol)));
        }
        if (gone.Count == 0)
            return [];
        foreach (var id in gone.Select(g => g.ServiceId).Distinct().ToList())
            foreach (var left in mirror.SegmentsOf(id))
                gone.ExceptWith(left.All.Select(b => new RemovedBackend(id, b.Addr, b.Port, left.Protocol)));
        return [.. gone];
    }
}
