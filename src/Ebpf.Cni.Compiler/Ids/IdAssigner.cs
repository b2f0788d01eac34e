using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Claims;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Ids;

/// <summary>
/// Stage 4: an id for each service port that is served. It keeps the id it had. After a start it takes over the id
/// of the first of its frontends (in the order of keys) that the kernel knew. Else it gets the next one that no port
/// has, had before this compile, or was restored with. One compile: <see cref="Begin"/>, then <see cref="TryKeep"/>
/// or <see cref="Free"/> of each port that may have changed, then <see cref="Assign"/> and <see cref="End"/>.
/// </summary>
internal sealed class IdAssigner
{
    private readonly HashSet<uint> _inUse = [0];
    private readonly List<uint> _freed = [];
    private IdTable _last = IdTable.Empty;
    private IdTable _before = IdTable.Empty;
    private ImmutableDictionary<ServicePortName, uint>.Builder _names = IdTable.Empty.ByName.ToBuilder();
    private uint _next = IdTable.Empty.Next;
    private bool _others;

    /// <summary>False: these are not the ids that the last compile ended with, and all ports have to be asked for.</summary>
    public bool Begin(IdTable ids)
    {
        _before = ids;
        _next = ids.Next;
        _others = !ReferenceEquals(ids, _last);
        _names = (_others ? IdTable.Empty.ByName : ids.ByName).ToBuilder();
        if (_others)
            TakeIn(ids.ByName.Values);
        return !_others;
    }

    /// <summary>The id that the port had.</summary>
    public bool TryKeep(ServicePortName port, out uint id)
    {
        if (!_before.ByName.TryGetValue(port, out id))
            return false;
        if (_others)
            _names[port] = id;
        return true;
    }

    /// <summary>The port is not served any more; its id is not given out by this compile.</summary>
    public void Free(ServicePortName port)
    {
        if (_others || !_names.Remove(port))
            return;
        _freed.Add(_before.ByName[port]);
    }

    /// <summary>Ids for ports that had none.</summary>
    /// <param name="unnamed">With the frontends that they hold, sorted by key.</param>
    public List<uint> Assign(List<(PortSlot Slot, List<CompiledFrontend> Held)> unnamed)
    {
        unnamed.Sort(static (a, b) => a.Slot.Name.CompareTo(b.Slot.Name));
        var restored = _before.Restored.IsEmpty ? [] : TakeOver(unnamed);
        _inUse.UnionWith(_before.Restored.Values);
        var ids = new List<uint>(unnamed.Count);
        foreach (var (slot, _) in unnamed)
        {
            if (!restored.TryGetValue(slot, out var id))
                id = TakeNext();
            _names[slot.Name] = id;
            ids.Add(id);
        }
        return ids;
    }

    /// <returns>The ids after this compile; the same table if nothing changed.</returns>
    public IdTable End()
    {
        var names = _names.ToImmutable();
        var same = _next == _before.Next && _before.Restored.IsEmpty
            && (ReferenceEquals(names, _before.ByName)
                || (_others && names.Count == _before.ByName.Count
                    && names.All(n => _before.ByName.GetValueOrDefault(n.Key) == n.Value)));
        if (_others)
            TakeIn(names.Values);
        _inUse.ExceptWith(_freed);
        _freed.Clear();
        return _last = same ? _before : new IdTable { ByName = names, Next = _next };
    }

    private void TakeIn(IEnumerable<uint> ids)
    {
        _inUse.Clear();
        _inUse.Add(0);
        _inUse.UnionWith(ids);
    }

    /// <summary>
    /// An id may be claimed from several sides when a frontend changed hands while the agent was down: the first
    /// by name has it. Reject entries are asked last: which port of a service has its cluster IP's may have changed.
    /// </summary>
    private Dictionary<PortSlot, uint> TakeOver(List<(PortSlot Slot, List<CompiledFrontend> Held)> unnamed)
    {
        var taken = new Dictionary<PortSlot, uint>();
        foreach (var rejects in (bool[])[false, true])
            foreach (var (slot, held) in unnamed)
                if (!taken.ContainsKey(slot) && Known(held, rejects) is { } id && _inUse.Add(id))
                    taken[slot] = id;
        return taken;
    }

    private uint? Known(List<CompiledFrontend> held, bool rejects)
    {
        foreach (var frontend in held)
            if ((frontend.Variant == SegmentVariant.None) == rejects && _before.Restored.TryGetValue(frontend.Key, out var id))
                return id;
        return null;
    }

    /// <summary>Ids wrap around; there are four thousand million of them and never as many services.</summary>
    private uint TakeNext()
    {
        while (!_inUse.Add(_next))
            _next++;
        return _next++;
    }
}
