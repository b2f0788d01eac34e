using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Tests.Services;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>Service tables as text, with names in the place of ids: what two histories with other ids have in common.</summary>
internal static class TablesText
{
    /// <summary>What the kernel holds, as its programs read it.</summary>
    public static string Held(FakeKernel kernel, IReadOnlyDictionary<uint, ServicePortName> names) => Text(
        kernel.Frontends.Select(f =>
        {
            var (offset, count, tail) = ((int)f.Value.Offset, (int)f.Value.Count, (int)f.Value.Tail);
            var all = kernel.Backends.AsSpan(offset, count + tail).ToArray();
            Assert.All(all, b => Assert.Equal(f.Value.ServiceId, b.ServiceId));
            return (f.Key, Line(
                names[f.Value.ServiceId], f.Value.Flags, f.Value.AffinitySec,
                all.Take(count).Select(Backend), all.Skip(count).Select(Backend)));
        }),
        kernel.Ranges.Keys.Select(r => Range(names[r.ServiceId.Host], r)));

    /// <summary>What a compile promises.</summary>
    public static string Promised(DesiredState state)
    {
        var names = state.Ids.ByName.ToDictionary(e => e.Value, e => e.Key);
        var segments = state.Segments.ToDictionary(s => s.Key);
        return Text(
            state.Frontends.Select(f =>
            {
                var segment = segments[f.Segment];
                return (f.Key, Line(
                    names[f.Segment.ServiceId], f.Flags, f.AffinitySec, segment.Backends.Select(Backend), segment.Tail.Select(Backend)));
            }),
            state.SourceRanges.Select(r => Range(names[r.ServiceId], SourceRangeMirror.Key(r))));
    }

    private static string Text(IEnumerable<(SvcKey Key, string Line)> frontends, IEnumerable<string> ranges) =>
        string.Join('\n', frontends.OrderBy(f => f.Key).Select(f => $"{f.Key} {f.Line}").Concat(ranges.Order(StringComparer.Ordinal)));

    private static string Line(
        ServicePortName owner, SvcFlags flags, uint affinity, IEnumerable<string> backends, IEnumerable<string> tail) =>
        $"{owner} {flags} {affinity} -> {string.Join(' ', backends)} | {string.Join(' ', tail)}";

    private static string Backend(Backend b) => $"{b.Addr}:{b.Port}/{b.Flags}";

    private static string Backend(DesiredBackend b) => $"{b.Addr}:{b.Port}/{b.Flags}";

    private static string Range(ServicePortName owner, SrangeKey key) => $"{owner} from {key with { ServiceId = default }}";
}
