using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>Differences between what we wrote and what the kernel holds.</summary>
/// <param name="Missing">Frontends that are gone.</param>
/// <param name="Unexpected">Frontends that the agent did not write.</param>
/// <param name="Different">Frontends with another value.</param>
/// <param name="DamagedSegments">Segments whose backends are not the ones written.</param>
/// <param name="SourceRanges">Source ranges that are missing or that the agent did not write.</param>
public readonly record struct DriftReport(int Missing, int Unexpected, int Different, int DamagedSegments, int SourceRanges = 0)
{
    public int Total => Missing + Unexpected + Different + DamagedSegments + SourceRanges;
}

/// <summary>Reads the tables back and teaches the mirror what it finds, so that the next apply repairs it.</summary>
internal static class ServiceVerifier
{
    public static DriftReport Verify(IKeyedTable<SvcKey, Svc> frontends, IBackendArray backends, ServiceMirror mirror)
    {
        int missing = 0, unexpected = 0, different = 0;
        var actual = new Dictionary<SvcKey, Svc>(mirror.Frontends.Count);
        foreach (var (key, value) in frontends.ReadAll())
            actual[key] = value; // a table with another writer may show a key twice
        foreach (var (key, known) in mirror.Frontends.ToList())
        {
            if (!actual.TryGetValue(key, out var value))
            {
                mirror.Remove(key);
                missing += known.Certain ? 1 : 0;
            }
            else if (known.Certain && value != known.Value)
            {
                mirror.Doubt(key);
                different++;
            }
        }
        foreach (var (key, value) in actual)
        {
            if (mirror.TryGet(key, out _))
                continue;
            mirror.Doubt(key, value, segment: null, owner: null);
            unexpected++;
        }
        return new DriftReport(missing, unexpected, different, FindDamage(backends, mirror));
    }

    private static int FindDamage(IBackendArray backends, ServiceMirror mirror)
    {
        var damaged = 0;
        var found = Array.Empty<Backend>();
        var expected = Array.Empty<Backend>();
        foreach (var segment in mirror.Frontends.Values.Select(f => f.Segment).OfType<LiveSegment>().Distinct())
        {
            if (!segment.Trusted)
                continue;
            var count = (int)segment.Extent.Count;
            if (found.Length < count)
                (found, expected) = (new Backend[count], new Backend[count]);
            backends.Read(segment.Extent.Offset, found.AsSpan(0, count));
            segment.Render(0, expected.AsSpan(0, count));
            if (found.AsSpan(0, count).SequenceEqual(expected.AsSpan(0, count)))
                continue;
            segment.Distrust();
            damaged++;
        }
        return damaged;
    }
}
