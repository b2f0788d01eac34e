using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// Carries out a plan, once. A failure concerns its own entry only; the mirror records what is certain after each write, so the next plan owes exactly the rest.
/// </summary>
internal sealed class PlanExecutor(IFrontendTable frontends, IBackendArray backends, ServiceMirror mirror, SegmentAllocator allocator)
{
    private readonly ImmutableArray<ApplyError>.Builder _errors = ImmutableArray.CreateBuilder<ApplyError>();
    private readonly List<TableFull> _refusals = [];
    private Backend[] _buffer = [];
    private int _backendsWritten;

    public ApplyResult Execute(ApplyPlan plan)
    {
        foreach (var write in plan.Writes)
            Write(write.Segment);
        var (added, switched) = Update(plan.Updates);
        var deleted = Delete(plan.Deletes);
        Release(plan);
        return new ApplyResult
        {
            SegmentsWritten = plan.Writes.Length,
            BackendsWritten = _backendsWritten,
            FrontendsAdded = added,
            FrontendsSwitched = switched,
            FrontendsDeleted = deleted,
            Refusals = [.. plan.Refusals, .. _refusals],
            Waiting = plan.Waiting,
            Errors = _errors.DrainToImmutable(),
        };
    }

    private void Write(LiveSegment segment)
    {
        var count = segment.Backends.Length;
        if (_buffer.Length < count)
            _buffer = new Backend[Math.Max(count, 64)];
        var content = _buffer.AsSpan(0, count);
        Render(segment.Backends, segment.ServiceId, content);
        backends.Write(segment.Extent.Offset, content);
        _backendsWritten += count;
    }

    internal static void Render(ImmutableArray<DesiredBackend> from, uint serviceId, Span<Backend> into)
    {
        for (var i = 0; i < from.Length; i++)
            into[i] = new Backend(from[i].Addr, from[i].Port, from[i].Flags, serviceId);
    }

    private (int Added, int Switched) Update(ImmutableArray<FrontendUpdate> updates)
    {
        var keys = updates.Select(u => u.Key).ToArray();
        var values = updates.Select(u => u.Value).ToArray();
        int added = 0, switched = 0;
        for (var next = 0; next < updates.Length;)
        {
            var outcome = frontends.Update(keys.AsSpan(next), values.AsSpan(next));
            var end = next + outcome.Completed;
            for (; next < end; next++)
            {
                var done = updates[next];
                mirror.Set(done.Key, done.Value, done.Segment, done.Owner);
                _ = done.IsNew ? added++ : switched++;
            }
            if (outcome.Error is null)
                break;
            var failed = updates[next++];
            mirror.Doubt(failed.Key, failed.Value, failed.Segment, failed.Owner);
            if (outcome.Full)
                _refusals.Add(TableLimits.Service(frontends.Capacity, 1, failed.Owner));
            else
                _errors.Add(new ApplyError($"update frontend {failed.Key} of {failed.Owner}", outcome.Error));
        }
        return (added, switched);
    }

    private int Delete(ImmutableArray<SvcKey> keys)
    {
        var deleted = 0;
        for (var next = 0; next < keys.Length;)
        {
            var outcome = frontends.Delete(keys.AsSpan()[next..]);
            var end = next + outcome.Completed;
            for (; next < end; next++, deleted++)
                mirror.Remove(keys[next]);
            if (outcome.Error is null)
                break;
            var failed = keys[next++];
            mirror.Doubt(failed);
            _errors.Add(new ApplyError($"delete frontend {failed}", outcome.Error));
        }
        return deleted;
    }

    private void Release(ApplyPlan plan)
    {
        // Segments that no frontend took up: nobody ever saw them.
        foreach (var write in plan.Writes)
            if (write.Segment.References == 0)
                allocator.Cancel(write.Segment.Extent);
        foreach (var segment in mirror.CollectUnreferenced())
            allocator.Release(segment.Extent);
    }
}
