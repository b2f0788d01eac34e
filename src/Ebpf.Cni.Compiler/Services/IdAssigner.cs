using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Stage 4: an id for each service port that is served. It keeps the id it had; after a start it takes over the id of the first of its
/// frontends (in the order of keys) that the kernel knew; else it gets the next one that nobody has, had before this compile, or was restored with.
/// </summary>
internal static class IdAssigner
{
    /// <summary>Sets <see cref="CompiledPort.Id"/> of all <paramref name="ports"/> (by name, no repetitions) and returns the table after that.</summary>
    public static IdTable Assign(IdTable before, IReadOnlyList<CompiledPort> ports, FrontendClaim[] held)
    {
        var unnamed = new List<CompiledPort>();
        foreach (var port in ports)
        {
            if (ReferenceEquals(port.IdSource, before))
                continue;
            if (before.ByName.TryGetValue(port.Name, out var id))
                port.Id = id;
            else
                unnamed.Add(port);
        }
        var kept = ports.Count - unnamed.Count;
        var after = unnamed.Count == 0 && kept == before.ByName.Count && before.Restored.IsEmpty
            ? before
            : Renew(before, ports, unnamed, held);
        foreach (var port in ports)
            port.IdSource = after;
        return after;
    }

    private static IdTable Renew(IdTable before, IReadOnlyList<CompiledPort> ports, List<CompiledPort> unnamed, FrontendClaim[] held)
    {
        var names = before.ByName.ToBuilder();
        if (ports.Count - unnamed.Count != names.Count)
            RemoveGone(names, ports);
        if (unnamed.Count == 0)
            return new IdTable { ByName = names.ToImmutable(), Next = before.Next };

        var inUse = new HashSet<uint>(before.ByName.Values) { 0 };
        var restored = before.Restored.IsEmpty ? [] : TakeOver(before, unnamed, held, inUse);
        inUse.UnionWith(before.Restored.Values);
        var next = before.Next;
        foreach (var port in unnamed)
        {
            if (!restored.TryGetValue(port, out var id))
                id = TakeNext(ref next, inUse);
            port.Id = id;
            names[port.Name] = id;
        }
        return new IdTable { ByName = names.ToImmutable(), Next = next };
    }

    private static void RemoveGone(ImmutableDictionary<ServicePortName, uint>.Builder names, IReadOnlyList<CompiledPort> ports)
    {
        var present = new HashSet<ServicePortName>(ports.Count);
        foreach (var port in ports)
            present.Add(port.Name);
        foreach (var name in names.Keys.Where(n => !present.Contains(n)).ToList())
            names.Remove(name);
    }

    /// <summary>
    /// An id may be claimed from several sides when a frontend changed hands while the agent was down: the first by name has it. Markers are asked last:
    /// which port of a service has its cluster IP's may have changed.
    /// </summary>
    private static Dictionary<CompiledPort, uint> TakeOver(IdTable before, List<CompiledPort> unnamed, FrontendClaim[] held, HashSet<uint> inUse)
    {
        var (frontends, markers) = (new Dictionary<CompiledPort, uint>(), new Dictionary<CompiledPort, uint>());
        foreach (var claim in held)
            if (before.Restored.TryGetValue(claim.Frontend.Key, out var id))
                (claim.Frontend.Variant == SegmentVariant.None ? markers : frontends).TryAdd(claim.Port, id);
        var taken = new Dictionary<CompiledPort, uint>();
        foreach (var known in new[] { frontends, markers })
            foreach (var port in unnamed)
                if (!taken.ContainsKey(port) && known.TryGetValue(port, out var id) && inUse.Add(id))
                    taken[port] = id;
        return taken;
    }

    /// <summary>Ids wrap around; there are four thousand million of them and never as many services.</summary>
    private static uint TakeNext(ref uint next, HashSet<uint> inUse)
    {
        while (!inUse.Add(next))
            next++;
        return next++;
    }
}
