using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Observe;

/// <summary>
/// How full a table is that only programs write: found by walking it, and not again before a while has passed. Thread-safe.
/// </summary>
internal sealed class EntryCounter<TKey, TValue>(string name, BpfMap map, TimeProvider time) : IDisposable where TKey
    : unmanaged where TValue : unmanaged
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(30);
    private readonly Lock _lock = new();
    private readonly BpfMapScan<TKey, TValue> _scan = new(map);
    private long _counted;
    private uint? _entries;

    public TableUsage Usage()
    {
        lock (_lock)
        {
            if (_entries is null || time.GetElapsedTime(_counted) > Fresh)
            {
                uint entries = 0;
                _scan.Run((keys, _) => entries += (uint)keys.Length);
                (_entries, _counted) = (entries, time.GetTimestamp());
            }
            return new TableUsage(name, _entries.Value, map.Info.MaxEntries);
        }
    }

    public void Dispose() => map.Dispose();
}
