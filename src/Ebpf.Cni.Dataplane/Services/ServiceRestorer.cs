using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>What was found in the tables at start.</summary>
/// <param name="Frontends">All entries.</param>
/// <param name="Segments">Segments that they share.</param>
/// <param name="Broken">Entries that point outside the table or at another service's backends; the first apply rewrites or deletes them.</param>
public readonly record struct RestoreReport(int Frontends, int Segments, int Broken);

/// <summary>
/// Builds the mirror and the allocator from what the kernel holds. An entry is sound when its extent lies inside the table and every element names the
/// entry's own service id. As an element names one service, sound segments of two services cannot overlap; those of one service that overlap
/// without being equal (no plan writes that) are kept reserved as one region of unknown content until the first apply has moved their frontends away.
/// What a broken entry points to is not reserved: its readers see foreign backends already, and reserving garbage could block the repair.
/// </summary>
internal sealed class ServiceRestorer(IFrontendTable frontends, IBackendArray backends)
{
    private readonly Dictionary<(Extent Extent, uint ServiceId), bool> _sound = [];
    private Backend[] _buffer = new Backend[64];

    public (ServiceMirror Mirror, RestoreReport Report) Restore(SegmentAllocator allocator)
    {
        var mirror = new ServiceMirror(frontends.Capacity);
        var entries = frontends.ReadAll();
        var segments = ReserveSegments(entries, allocator);
        var broken = 0;
        foreach (var (key, value) in entries)
        {
            var segment = value.Count == 0 ? null : segments.GetValueOrDefault(new Extent(value.Offset, value.Count));
            mirror.Set(key, value, IsSound(value) ? segment : null, owner: null);
            if (IsSound(value))
                continue;
            mirror.Doubt(key);
            broken++;
        }
        return (mirror, new RestoreReport(entries.Count, segments.Values.Distinct().Count(), broken));
    }

    /// <summary>The entry serves what it claims: nobody's backends, or only its own.</summary>
    public bool IsSound(in Svc value)
    {
        if (value.ServiceId == 0 || (ulong)value.Offset + value.Count > backends.Length)
            return false;
        if (value.Count == 0)
            return true;
        var key = (new Extent(value.Offset, value.Count), value.ServiceId);
        if (_sound.TryGetValue(key, out var known))
            return known;
        var serviceId = value.ServiceId;
        return _sound[key] = Read(key.Item1).TrueForAll(b => b.ServiceId == serviceId);
    }

    private Dictionary<Extent, LiveSegment> ReserveSegments(List<KeyValuePair<SvcKey, Svc>> entries, SegmentAllocator allocator)
    {
        var extents = entries.Where(e => e.Value.Count != 0 && IsSound(e.Value))
            .Select(e => (Extent: new Extent(e.Value.Offset, e.Value.Count), e.Value.ServiceId))
            .Distinct().OrderBy(e => e.Extent.Offset).ThenBy(e => e.Extent.Count).ToList();
        var segments = new Dictionary<Extent, LiveSegment>();
        for (var first = 0; first < extents.Count;)
        {
            var region = extents[first].Extent;
            var next = first + 1;
            for (; next < extents.Count && extents[next].Extent.Offset < region.End; next++)
                region = region with { Count = Math.Max(region.End, extents[next].Extent.End) - region.Offset };
            allocator.Reserve(region);
            var content = next == first + 1 ? ReadDesired(region) : default;
            var segment = new LiveSegment(region, extents[first].ServiceId, content);
            for (; first < next; first++)
                segments.Add(extents[first].Extent, segment);
        }
        return segments;
    }

    private ImmutableArray<DesiredBackend> ReadDesired(Extent extent) =>
        [.. Read(extent).Select(b => new DesiredBackend(b.Addr, b.Port, b.Flags))];

    private List<Backend> Read(Extent extent)
    {
        if (_buffer.Length < extent.Count)
            _buffer = new Backend[extent.Count];
        var content = _buffer.AsSpan(0, (int)extent.Count);
        backends.Read(extent.Offset, content);
        return [.. content];
    }
}
