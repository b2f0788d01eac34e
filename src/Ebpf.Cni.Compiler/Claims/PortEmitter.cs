using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Claims;

/// <summary>
/// A compiled port and its id → what the state has of it. Parts that stay as they were
/// stay the same objects, so a comparison of states recognizes them by reference.
/// </summary>
internal static class PortEmitter
{
    /// <summary>The frontends that the port holds, sorted by key.</summary>
    public static List<CompiledFrontend> Held(PortSlot slot, ClaimTable claims)
    {
        var held = new List<CompiledFrontend>(slot.Compiled?.Frontends.Length ?? 0);
        foreach (ref readonly var frontend in (slot.Compiled?.Frontends).AsSpan())
            if (claims.Holds(slot, frontend))
                held.Add(frontend);
        held.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        return held;
    }

    /// <param name="slot">Compiled.</param>
    /// <param name="held">Its frontends that it holds, sorted by key; not empty.</param>
    /// <param name="id">Its own.</param>
    public static DesiredPort Emit(PortSlot slot, List<CompiledFrontend> held, uint id)
    {
        var before = slot.Desired?.Id == id ? slot.Desired : null;
        var port = new DesiredPort(
            slot.Name, id, Frontends(slot, held, id, before), Segments(slot, held, id, before), SourceRanges(slot, id));
        return port.Equals(before) ? before! : port;
    }

    private static ImmutableArray<DesiredFrontend> Frontends(PortSlot slot, List<CompiledFrontend> held, uint id, DesiredPort? before)
    {
        var frontends = new DesiredFrontend[held.Count];
        for (var i = 0; i < frontends.Length; i++)
        {
            var (key, _, variant, flags, affinity) = held[i];
            var made = new DesiredFrontend(key, new SegmentKey(id, variant), slot.Name, flags, affinity);
            frontends[i] = i < before?.Frontends.Length && before.Frontends[i] == made ? before.Frontends[i] : made;
        }
        return ImmutableCollectionsMarshal.AsImmutableArray(frontends);
    }

    /// <summary>A segment that no frontend leads to is left out.</summary>
    private static ImmutableArray<DesiredSegment> Segments(PortSlot slot, List<CompiledFrontend> held, uint id, DesiredPort? before)
    {
        var segments = ImmutableArray.CreateBuilder<DesiredSegment>(slot.Compiled!.Segments.Length);
        foreach (var (variant, backends, tail) in slot.Compiled.Segments)
        {
            if (!held.Exists(f => f.Variant == variant))
                continue;
            var made = new DesiredSegment(new SegmentKey(id, variant), slot.Name, backends) { Tail = tail };
            segments.Add(before?.Segments.FirstOrDefault(s => s.Equals(made)) ?? made);
        }
        return segments.DrainToImmutable();
    }

    private static ImmutableArray<DesiredSourceRange> SourceRanges(PortSlot slot, uint id)
    {
        var ranges = slot.Compiled!.SourceRanges;
        return ranges.Length == 0 ? [] : [.. ranges.Order().Select(r => new DesiredSourceRange(id, r.Addr, r.Length))];
    }
}
