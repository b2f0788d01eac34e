using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>What was found in the tables at start.</summary>
/// <param name="Frontends">All entries.</param>
/// <param name="Segments">Segments that they share.</param>
/// <param name="Broken">
/// Entries that point outside the table or at another service's backends; the first apply rewrites or deletes them.
/// </param>
public readonly record struct RestoreReport(int Frontends, int Segments, int Broken);

/// <summary>
/// Builds the mirror and the allocator from what the kernel holds. An entry is sound when its extent lies inside the table and every
/// element names the entry's own service id. As an element names one service, sound segments of two services cannot overlap; those of one
/// service that overlap without being equal (no plan writes that) are kept reserved as one region of unknown content until the first apply
/// has moved their frontends away. What a broken entry points to is not reserved: its readers see another Service's backends already, and
/// reserving garbage could block the repair.
/// </summary>
internal sealed class ServiceRestorer(IKeyedTable<SvcKey, Svc> frontends, IBackendArray backends)
{
    private readonly Dictionary<(Extent Extent, uint ServiceId), bool> _sound = [];
    private Backend[] _buffer = new Backend[64];

    /// <summary>Where a segment is and how it is divided; equal ones are one segment.</summary>
    private readonly record struct Place(Extent Extent, uint Count);

    public (ServiceMirror Mirror, RestoreReport Report) Restore(SegmentAllocator allocator)
    {
        var mirror = new ServiceMirror(frontends.Capacity);
        var entries = frontends.ReadAll();
        var segments = ReserveSegments(entries, allocator);
        var broken = 0;
        foreach (var (key, value) in entries)
        {
            var segment = IsSound(value) ? segments.GetValueOrDefault(PlaceOf(value)) : null;
            mirror.Set(key, value, segment, owner: null);
            if (IsSound(value))
                continue;
            mirror.Doubt(key);
            broken++;
        }
        return (mirror, new RestoreReport(entries.Count, segments.Values.Distinct().Count(), broken));
    }

    /// <summary>The entry serves what it claims: no backends, or only its own.</summary>
    public bool IsSound(in Svc value)
    {
        if (value.ServiceId == 0 || (ulong)value.Offset + value.Count + value.Tail > backends.Length)
            return false;
        if (value.Count + value.Tail == 0)
            return true;
        var key = (PlaceOf(value).Extent, value.ServiceId);
        if (_sound.TryGetValue(key, out var known))
            return known;
        var sound = true;
        foreach (ref readonly var backend in Read(key.Extent))
            sound &= backend.ServiceId == value.ServiceId;
        return _sound[key] = sound;
    }

    private static Place PlaceOf(in Svc value) => new(new Extent(value.Offset, value.Count + value.Tail), value.Count);

    private Dictionary<Place, LiveSegment> ReserveSegments(List<KeyValuePair<SvcKey, Svc>> entries, SegmentAllocator allocator)
    {
        var places = entries.Where(e => e.Value.Count + (ulong)e.Value.Tail != 0 && IsSound(e.Value))
            .Select(e => (Place: PlaceOf(e.Value), e.Value.ServiceId, Protocol: e.Key.Proto))
            .DistinctBy(e => e.Place)
            .OrderBy(e => e.Place.Extent.Offset).ThenBy(e => e.Place.Extent.Count).ToList();
        var segments = new Dictionary<Place, LiveSegment>();
        for (var first = 0; first < places.Count;)
        {
            var region = places[first].Place.Extent;
            var next = first + 1;
            for (; next < places.Count && places[next].Place.Extent.Offset < region.End; next++)
                region = region with { Count = Math.Max(region.End, places[next].Place.Extent.End) - region.Offset };
            allocator.Reserve(region);
            var (place, serviceId, protocol) = places[first];
            var segment = next == first + 1
                ? new LiveSegment(region, serviceId, protocol, ReadDesired(region with { Count = place.Count }),
                    ReadDesired(new Extent(region.Offset + place.Count, region.Count - place.Count)))
                : new LiveSegment(region, serviceId, protocol, default, default);
            for (; first < next; first++)
                segments.Add(places[first].Place, segment);
        }
        return segments;
    }

    private ImmutableArray<DesiredBackend> ReadDesired(Extent extent)
    {
        var found = ImmutableArray.CreateBuilder<DesiredBackend>((int)extent.Count);
        foreach (ref readonly var b in Read(extent))
            found.Add(new DesiredBackend(b.Addr, b.Port, b.Flags));
        return found.MoveToImmutable();
    }

    private Span<Backend> Read(Extent extent)
    {
        if (_buffer.Length < extent.Count)
            _buffer = new Backend[extent.Count];
        var content = _buffer.AsSpan(0, (int)extent.Count);
        if (!content.IsEmpty)
            backends.Read(extent.Offset, content);
        return content;
    }
}
