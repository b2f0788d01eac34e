using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>A frontend as the kernel holds it, as far as we know.</summary>
/// <param name="Value">The last value known to be there, or the one that was being written.</param>
/// <param name="Segment">Where it points; null for none (no backends) or one that is not trusted.</param>
/// <param name="Certain">False: a write failed or drift was found; it is written (or deleted) again whatever is desired.</param>
/// <param name="Held">Further segments it may point to while that is uncertain.</param>
/// <param name="Owner">Its service; null until a desired state has named it after a start.</param>
public sealed record MirroredFrontend(Svc Value, LiveSegment? Segment, bool Certain, ImmutableArray<LiveSegment> Held, ObjectName? Owner);

/// <summary>
/// What the service tables hold as far as we know. It changes only after the write that it records. Segments are counted by the frontends
/// that point (or may point) to them; an unreferenced one waits in a list until it is collected.
/// </summary>
public sealed class ServiceMirror(uint frontendCapacity)
{
    private readonly Dictionary<SvcKey, MirroredFrontend> _frontends = [];
    private readonly Dictionary<uint, List<LiveSegment>> _segments = [];
    private readonly List<LiveSegment> _unreferenced = [];

    /// <summary>Entries that the frontend table can hold.</summary>
    public uint FrontendCapacity { get; } = frontendCapacity;

    public IReadOnlyDictionary<SvcKey, MirroredFrontend> Frontends => _frontends;

    public bool TryGet(in SvcKey key, [NotNullWhen(true)] out MirroredFrontend? frontend) => _frontends.TryGetValue(key, out frontend);

    /// <summary>Segments of a service port that frontends point to, or may do so.</summary>
    internal IReadOnlyList<LiveSegment> SegmentsOf(uint serviceId) => _segments.GetValueOrDefault(serviceId) ?? [];

    /// <summary>The kernel holds this value now.</summary>
    internal void Set(in SvcKey key, in Svc value, LiveSegment? segment, ObjectName? owner)
    {
        Acquire(segment);
        _frontends.TryGetValue(key, out var old);
        _frontends[key] = new MirroredFrontend(value, segment, Certain: true, [], owner ?? old?.Owner);
        ReleaseAll(old);
    }

    /// <summary>The kernel holds no such frontend now.</summary>
    internal void Remove(in SvcKey key)
    {
        if (_frontends.Remove(key, out var old))
            ReleaseAll(old);
    }

    /// <summary>The kernel may hold this value or what it held before; both segments stay until a write decides.</summary>
    internal void Doubt(in SvcKey key, in Svc attempted, LiveSegment? segment, ObjectName? owner)
    {
        if (!_frontends.TryGetValue(key, out var old))
        {
            Acquire(segment);
            _frontends[key] = new MirroredFrontend(attempted, segment, Certain: false, [], owner);
            return;
        }
        var held = old.Held;
        if (segment is not null && segment != old.Segment && !held.Contains(segment))
        {
            Acquire(segment);
            held = held.Add(segment);
        }
        _frontends[key] = old with { Certain = false, Held = held, Owner = owner ?? old.Owner };
    }

    /// <summary>The kernel holds something else than we thought, or it is not certain that it holds it.</summary>
    internal void Doubt(in SvcKey key)
    {
        if (_frontends.TryGetValue(key, out var old))
            _frontends[key] = old with { Certain = false };
    }

    /// <summary>Segments that lost their last frontend since the last call.</summary>
    internal List<LiveSegment> CollectUnreferenced()
    {
        // One may have found a new frontend in the meantime.
        var collected = _unreferenced.Where(s => s.References == 0).Distinct().ToList();
        _unreferenced.Clear();
        return collected;
    }

    private void Acquire(LiveSegment? segment)
    {
        if (segment is null || segment.References++ > 0)
            return;
        if (!_segments.TryGetValue(segment.ServiceId, out var all))
            _segments.Add(segment.ServiceId, all = []);
        all.Add(segment);
    }

    private void ReleaseAll(MirroredFrontend? frontend)
    {
        if (frontend is null)
            return;
        Release(frontend.Segment);
        foreach (var segment in frontend.Held)
            Release(segment);
    }

    private void Release(LiveSegment? segment)
    {
        if (segment is null || --segment.References > 0)
            return;
        _unreferenced.Add(segment);
        var all = _segments[segment.ServiceId];
        all.Remove(segment);
        if (all.Count == 0)
            _segments.Remove(segment.ServiceId);
    }
}
