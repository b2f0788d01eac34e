using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Conntrack;

/// <summary>One of the connection tables, and how many entries the last pass over it found.</summary>
internal sealed class ConntrackMap(string name, BpfMap map) : IDisposable
{
    private readonly BpfMapScan<CtKey, Ct> _scan = new(map);
    private int _entries = -1;

    public bool Counted => _entries >= 0;

    public uint Entries => (uint)Math.Max(_entries, 0);

    /// <summary>In connections: each has two entries, or one where the LRU has evicted the other.</summary>
    public TableUsage Usage => new(name, (Entries + 1) / 2, map.Info.MaxEntries / 2);

    public void Scan(BpfMapScan<CtKey, Ct>.Visitor visit)
    {
        var entries = 0;
        _scan.Run((keys, values) =>
        {
            entries += keys.Length;
            visit(keys, values);
        });
        _entries = entries;
    }

    public bool TryLookup(in CtKey key, out Ct value) => map.TryLookup(key, out value);

    public int Delete(ReadOnlySpan<CtKey> keys) => keys.IsEmpty ? 0 : map.DeleteBatch(keys);

    public void Dispose() => map.Dispose();
}
