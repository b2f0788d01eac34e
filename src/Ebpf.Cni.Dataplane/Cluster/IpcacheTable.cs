using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Cluster;

/// <summary>What an apply of prefixes did; failures are tried again by the next one.</summary>
public sealed record IpcacheResult(int Written, int Deleted, ImmutableArray<ApplyError> Errors);

/// <summary>
/// <c>ebc_ipcache_v2</c>: what destinations are, and which are reached through the tunnel. An apply writes the difference,
/// what is new or different first: at no moment is a pod or a node taken for the outside. What was written without an
/// error is remembered; the kernel is asked for it at first, after an error, and after <see cref="Verify"/>. Thread-safe.
/// </summary>
public sealed class IpcacheTable
{
    private readonly Lock _lock = new();
    private readonly IKeyedTable<IpcacheKey, Ipcache> _table;
    private ImmutableArray<DesiredPrefix> _settled;

    /// <summary>What the kernel holds; null: it is to be read.</summary>
    private Dictionary<IpcacheKey, Ipcache>? _held;

    private int _tunnel;
    private int _entries;

    internal IpcacheTable(IKeyedTable<IpcacheKey, Ipcache> table)
    {
        _table = table;
        _entries = table.ReadAll().Count;
    }

    /// <summary>Makes the table hold exactly these.</summary>
    /// <param name="desired">Each prefix once.</param>
    /// <param name="tunnelIfindex">
    /// The device of the tunnel (<see cref="Overlay.NodeOverlay"/>); 0 without one: then nothing is sent through a tunnel.
    /// </param>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    public IpcacheResult Apply(ImmutableArray<DesiredPrefix> desired, int tunnelIfindex = 0)
    {
        lock (_lock)
        {
            if (!_settled.IsDefault && _tunnel == tunnelIfindex
                && (_settled == desired || _settled.AsSpan().SequenceEqual(desired.AsSpan())))
                return new IpcacheResult(0, 0, []);
            (_settled, _tunnel) = (default, tunnelIfindex);
            var held = _held ?? Read();
            _held = null;
            var wanted = new Dictionary<IpcacheKey, Ipcache>(desired.Length);
            foreach (var prefix in desired)
                wanted[Key(prefix)] = Value(prefix);
            var errors = ImmutableArray.CreateBuilder<ApplyError>();
            var written = Write([.. wanted.Where(w => !held.TryGetValue(w.Key, out var known) || known != w.Value)], errors);
            var deleted = Delete([.. held.Keys.Where(k => !wanted.ContainsKey(k))], errors);
            _entries = errors.Count == 0 ? wanted.Count : Read().Count;
            if (errors.Count == 0)
                (_settled, _held) = (desired, wanted);
            return new IpcacheResult(written, deleted, errors.DrainToImmutable());
        }
    }

    /// <summary>Compares the table with what was applied last; what differs is counted, and repaired by the next apply.</summary>
    public int Verify()
    {
        lock (_lock)
        {
            if (_settled.IsDefault)
                return 0;
            var held = Read();
            var different = _settled.Count(p => !held.Remove(Key(p), out var known) || known != Value(p));
            (_settled, _held) = (default, null);
            return different + held.Count;
        }
    }

    /// <summary>The table as it is, sorted by address, the wider prefix first.</summary>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    public ImmutableArray<KeyValuePair<IpcacheKey, Ipcache>> List()
    {
        lock (_lock)
            return [.. Read().OrderBy(e => e.Key.Addr).ThenBy(e => e.Key.Prefixlen)];
    }

    public TableUsage Usage()
    {
        lock (_lock)
            return new TableUsage(MapNames.Ipcache, (uint)_entries, _table.Capacity);
    }

    private static IpcacheKey Key(in DesiredPrefix prefix) => new(AddrPrefix.Length(prefix.Addr, prefix.PrefixLength), prefix.Addr);

    private Ipcache Value(in DesiredPrefix prefix) =>
        prefix.Tunnel is { } peer && _tunnel > 0 ? new Ipcache(prefix.Flags, (uint)_tunnel, peer) : new Ipcache(prefix.Flags);

    private Dictionary<IpcacheKey, Ipcache> Read()
    {
        var held = new Dictionary<IpcacheKey, Ipcache>();
        foreach (var (key, value) in _table.ReadAll())
            held[key with { Addr = AddrPrefix.Mask(key.Addr, key.Prefixlen) }] = value;
        return held;
    }

    private int Write(KeyValuePair<IpcacheKey, Ipcache>[] entries, ImmutableArray<ApplyError>.Builder errors)
    {
        var keys = Array.ConvertAll(entries, e => e.Key);
        var values = Array.ConvertAll(entries, e => e.Value);
        return Batches.Run(keys.Length, next => _table.Update(keys.AsSpan(next), values.AsSpan(next)),
            failed: (i, outcome) => errors.Add(new ApplyError(
            outcome.Full
                ? $"prefix {Text(keys[i])}: table {MapNames.Ipcache} is full at {_table.Capacity} prefixes; "
                    + $"pods' traffic to it is masqueraded. Raise the {TableLimits.IpcacheOption} option"
                : $"write the prefix {Text(keys[i])}",
            outcome.Error!)));
    }

    private int Delete(IpcacheKey[] keys, ImmutableArray<ApplyError>.Builder errors) => Batches.Run(
        keys.Length, next => _table.Delete(keys.AsSpan(next)),
        failed: (i, outcome) => errors.Add(new ApplyError($"delete the prefix {Text(keys[i])}", outcome.Error!)));

    private static string Text(in IpcacheKey key) =>
        key.Addr.IsIPv4 && key.Prefixlen >= 96 ? $"{key.Addr}/{key.Prefixlen - 96}" : $"{key.Addr}/{key.Prefixlen}";
}
