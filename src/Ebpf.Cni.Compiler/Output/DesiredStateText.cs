using System.Globalization;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>A desired state as text for people, golden files and diffs: equal states give equal text, a change moves few lines.</summary>
public static class DesiredStateText
{
    public static string Write(DesiredState state)
    {
        using var text = new StringWriter(CultureInfo.InvariantCulture) { NewLine = "\n" };
        Write(text, state);
        return text.ToString();
    }

    public static void Write(TextWriter to, DesiredState state)
    {
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(state);
        to.WriteLine("frontends");
        foreach (var frontend in state.Frontends)
            WriteFrontend(to, frontend);
        to.WriteLine("segments");
        foreach (var segment in state.Segments)
            WriteSegment(to, segment);
        to.WriteLine("sourceRanges");
        foreach (var range in state.SourceRanges)
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {range.ServiceId} {range.Addr}/{range.PrefixLength}"));
        to.WriteLine("prefixes");
        foreach (var prefix in state.Prefixes)
            to.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  {prefix.Addr}/{prefix.PrefixLength} {prefix.Flags}{(prefix.Tunnel is { } peer ? $" tunnel={peer}" : "")}"));
        to.WriteLine("healthChecks");
        foreach (var check in state.HealthChecks)
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {check.Port} {check.Service} local={check.LocalEndpoints}"));
        to.WriteLine("routes");
        foreach (var route in state.Routes)
            to.WriteLine($"  {route.Destination} {(route.Gateway is { } gateway ? $"via {gateway}" : "through the tunnel")} "
                + $"({route.Node})");
        to.WriteLine("issues");
        foreach (var issue in state.Issues)
            to.WriteLine($"  {issue.Kind} {issue.Name} {issue.Reason}: {issue.Message}");
        WriteIds(to, state.Ids);
    }

    private static void WriteFrontend(TextWriter to, DesiredFrontend frontend)
    {
        to.Write($"  {frontend.Key} -> {frontend.Segment.ServiceId} {frontend.Segment.Variant} ({frontend.Owner})");
        if (frontend.Flags != SvcFlags.None)
            to.Write($" flags={frontend.Flags}");
        if (frontend.AffinitySec != 0)
            to.Write(string.Create(CultureInfo.InvariantCulture, $" affinity={frontend.AffinitySec}s"));
        to.WriteLine();
    }

    private static void WriteSegment(TextWriter to, DesiredSegment segment)
    {
        var nobody = segment.Backends.IsEmpty && segment.Key.Variant != SegmentVariant.None ? " nobody" : "";
        to.WriteLine($"  {segment.Key.ServiceId} {segment.Key.Variant} ({segment.Owner}){nobody}");
        foreach (var backend in segment.Backends)
            WriteBackend(to, backend, "");
        foreach (var backend in segment.Tail)
            WriteBackend(to, backend, "tail ");
    }

    private static void WriteBackend(TextWriter to, DesiredBackend backend, string prefix)
    {
        var address = backend.Addr.IsIPv4 ? $"{backend.Addr}:{backend.Port}" : $"[{backend.Addr}]:{backend.Port}";
        to.WriteLine(backend.Flags == BackendFlags.None ? $"    {prefix}{address}" : $"    {prefix}{address} {backend.Flags}");
    }

    private static void WriteIds(TextWriter to, IdTable ids)
    {
        to.WriteLine("ids");
        foreach (var (name, id) in ids.ByName.OrderBy(e => e.Key))
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {id} {name}"));
        foreach (var (key, id) in ids.Restored.OrderBy(e => e.Key))
            to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {id} restored {key}"));
        to.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  next {ids.Next}"));
    }
}
