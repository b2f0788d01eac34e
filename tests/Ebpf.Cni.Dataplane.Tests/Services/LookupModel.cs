using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>What a client of a frontend gets: text, so that two answers compare and failures read well.</summary>
internal static class LookupModel
{
    public const string Nobody = "no such frontend";

    /// <summary>What a program finds in the tables, element by element.</summary>
    public static string Lookup(FakeKernel kernel, SvcKey key)
    {
        if (!kernel.Frontends.TryGetValue(key, out var svc))
            return Nobody;
        if ((ulong)svc.Offset + svc.Count + svc.Tail > kernel.Length)
            return $"torn: {svc.Offset}+{svc.Count}+{svc.Tail} is outside the table";
        var segment = kernel.Backends.AsSpan((int)svc.Offset, (int)(svc.Count + svc.Tail));
        foreach (var backend in segment)
            if (backend.ServiceId != svc.ServiceId)
                return $"torn: {key} of service {svc.ServiceId} reaches a backend of service {backend.ServiceId}";
        var all = segment.ToArray().Select(b => (b.Addr, b.Port, b.Flags)).ToList();
        return Text(svc.ServiceId, svc.Flags, svc.AffinitySec, all.Take((int)svc.Count), all.Skip((int)svc.Count));
    }

    /// <summary>What a desired state promises.</summary>
    public static Dictionary<SvcKey, string> Promise(DesiredState desired)
    {
        var segments = desired.Segments.ToDictionary(s => s.Key);
        return desired.Frontends.ToDictionary(f => f.Key, f => Text(
            f.Segment.ServiceId, f.Flags, f.AffinitySec,
            segments[f.Segment].Backends.Select(b => (b.Addr, b.Port, b.Flags)),
            segments[f.Segment].Tail.Select(b => (b.Addr, b.Port, b.Flags))));
    }

    public static Dictionary<SvcKey, string> LookupAll(FakeKernel kernel) =>
        kernel.Frontends.Keys.ToDictionary(k => k, k => Lookup(kernel, k));

    /// <summary>Who may use what, as the table has it.</summary>
    public static IEnumerable<SrangeKey> PromisedRanges(DesiredState desired) => desired.SourceRanges.Select(r => SourceRangeMirror.Key(r));

    private static string Text(
        uint id, SvcFlags flags, uint affinity, IEnumerable<(Addr, U16Be, BackendFlags)> backends,
        IEnumerable<(Addr, U16Be, BackendFlags)> tail) =>
        $"service {id} {flags} {affinity} -> {Text(backends)} | {Text(tail)}";

    private static string Text(IEnumerable<(Addr, U16Be, BackendFlags)> backends) =>
        string.Join(" ", backends.Select(b => $"{b.Item1}:{b.Item2}/{(ushort)b.Item3}"));
}
