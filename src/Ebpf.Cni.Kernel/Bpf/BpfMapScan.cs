namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// Walks large maps piece by piece, in memory that it keeps for the next walk: the cost of a walk is system calls and copies, not garbage.
/// Elements may be deleted while it walks. One walk at a time. Where the kernel has no batches it walks key by key.
/// </summary>
/// <param name="map">Any map with batch operations and one value an element.</param>
/// <param name="chunk">Elements at a time; a crowded bucket doubles it.</param>
public sealed class BpfMapScan<TKey, TValue>(BpfMap map, int chunk = 4096) where TKey : unmanaged where TValue : unmanaged
{
    private TKey[] _keys = new TKey[chunk];
    private TValue[] _values = new TValue[chunk];

    public delegate void Visitor(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values);

    /// <summary>
    /// Shows all elements to <paramref name="visit"/>; the spans are valid during the call. Not a snapshot, as
    /// <see cref="BpfMap.ReadAll"/>.
    /// </summary>
    public void Run(Visitor visit)
    {
        ArgumentNullException.ThrowIfNull(visit);
        if (!map.TryScan(ref _keys, ref _values, visit))
            map.ScanOneByOne(_keys, _values, visit);
    }
}
