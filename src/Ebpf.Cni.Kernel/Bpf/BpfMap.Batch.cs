namespace Ebpf.Cni.Kernel.Bpf;

/// <content>
/// Many elements with one system call, where the kernel has that for the map's type; else one by one. What the kernel
/// cannot do is found by trying and remembered for the map.
/// </content>
public sealed partial class BpfMap
{
    private volatile bool _noBatch;

    /// <summary>Whether no batch was refused yet.</summary>
    internal bool BatchesWork => !_noBatch;

    /// <summary>Elements asked for at first; a crowded bucket doubles it. Tests make it small.</summary>
    internal int ReadChunk { get; set; } = 4096;

    /// <summary>For tests of the fallback: as if the kernel had no batch operations.</summary>
    internal void ForgoBatches() => _noBatch = true;

    /// <summary>Adds or replaces all pairs, in order.</summary>
    /// <returns>How many were written: all.</returns>
    /// <exception cref="KernelException">
    /// E2BIG if the map is full; <see cref="KernelException.Written"/> is how many were written.
    /// </exception>
    public unsafe int UpdateBatch<TKey, TValue>(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
        where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        if (keys.Length != values.Length)
            throw new ArgumentException($"{keys.Length} keys, {values.Length} values");
        if (keys.IsEmpty)
            return 0;
        if (!_noBatch)
        {
            fixed (TKey* keyPointer = keys)
            fixed (TValue* valuePointer = values)
            {
                var attributes = new MapBatchAttributes { Keys = keyPointer, Values = valuePointer, Count = (uint)keys.Length };
                var result = Batch(BpfCommand.MapUpdateBatch, ref attributes);
                if (result == 0)
                    return keys.Length;
                if (!MeansNoBatch(result))
                    throw Failure("write", result, Done(in attributes, keys.Length));
                _noBatch = true;
            }
        }
        return UpdateOneByOne(keys, values);
    }

    /// <summary>Deletes all keys; an absent one is no error.</summary>
    /// <returns>How many were there and are gone.</returns>
    public unsafe int DeleteBatch<TKey>(ReadOnlySpan<TKey> keys) where TKey : unmanaged
    {
        RequireKey<TKey>();
        var deleted = 0;
        while (!keys.IsEmpty && !_noBatch)
        {
            fixed (TKey* keyPointer = keys)
            {
                var attributes = new MapBatchAttributes { Keys = keyPointer, Count = (uint)keys.Length };
                var result = Batch(BpfCommand.MapDeleteBatch, ref attributes);
                if (MeansNoBatch(result))
                {
                    _noBatch = true;
                    break;
                }
                if (result is not (0 or -Errno.ENOENT))
                    throw Failure("delete from", result, deleted + Done(in attributes, keys.Length));
                // the batch stops at an absent key: step over it
                var done = (int)attributes.Count;
                deleted += done;
                keys = result == 0 ? [] : keys[(done + 1)..];
            }
        }
        foreach (ref readonly var key in keys)
            deleted += Delete(in key) ? 1 : 0;
        return deleted;
    }

    /// <summary>
    /// All pairs. Not a snapshot: elements written or deleted meanwhile may be in it or not, and where the kernel has no
    /// batches a key may then appear twice.
    /// </summary>
    public List<KeyValuePair<TKey, TValue>> ReadAll<TKey, TValue>() where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        return !_noBatch && TryReadBatches<TKey, TValue>(out var pairs) ? pairs : ReadOneByOne<TKey, TValue>();
    }

    private int UpdateOneByOne<TKey, TValue>(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
        where TKey : unmanaged where TValue : unmanaged
    {
        for (var i = 0; i < keys.Length; i++)
        {
            try
            {
                Update(in keys[i], in values[i]);
            }
            catch (KernelException e)
            {
                throw Failure("write", -e.Errno, written: i);
            }
        }
        return keys.Length;
    }

    private bool TryReadBatches<TKey, TValue>(out List<KeyValuePair<TKey, TValue>> pairs)
        where TKey : unmanaged where TValue : unmanaged
    {
        var found = pairs = [];
        var chunk = (int)Math.Min(ReadChunk, Info.MaxEntries);
        var (keys, values) = (new TKey[chunk], new TValue[chunk]);
        return TryScan<TKey, TValue>(ref keys, ref values, (k, v) =>
        {
            for (var i = 0; i < k.Length; i++)
                found.Add(new(k[i], v[i]));
        });
    }

    /// <summary>Walks in the caller's buffers, which grow when a bucket holds more.</summary>
    /// <returns>False if this map has no batches; nothing was visited then.</returns>
    internal unsafe bool TryScan<TKey, TValue>(ref TKey[] keys, ref TValue[] values, BpfMapScan<TKey, TValue>.Visitor visit)
        where TKey : unmanaged where TValue : unmanaged
    {
        RequireOneValue();
        RequireSizes<TKey, TValue>();
        if (_noBatch)
            return false;
        // the kernel's position: a bucket number or a key, whichever is longer
        var position = stackalloc byte[Math.Max(sizeof(TKey), sizeof(ulong))];
        for (var first = true; ;)
        {
            int result;
            uint count;
            fixed (TKey* keyPointer = keys)
            fixed (TValue* valuePointer = values)
            {
                var attributes = new MapBatchAttributes
                {
                    From = first ? null : position,
                    Next = position,
                    Keys = keyPointer,
                    Values = valuePointer,
                    Count = (uint)keys.Length,
                };
                result = Batch(BpfCommand.MapLookupBatch, ref attributes);
                count = attributes.Count;
            }
            switch (result)
            {
                case 0 or -Errno.ENOENT:
                    visit(keys.AsSpan(0, (int)count), values.AsSpan(0, (int)count));
                    if (result != 0)
                        return true;
                    first = false;
                    break;
                case -Errno.ENOSPC: // one bucket holds more than the chunk; nothing was taken
                    (keys, values) = (new TKey[keys.Length * 2], new TValue[values.Length * 2]);
                    break;
                case var _ when MeansNoBatch(result) && first:
                    _noBatch = true;
                    return false;
                default:
                    throw Failure("read", result);
            }
        }
    }

    private List<KeyValuePair<TKey, TValue>> ReadOneByOne<TKey, TValue>() where TKey : unmanaged where TValue : unmanaged
    {
        var pairs = new List<KeyValuePair<TKey, TValue>>();
        ScanOneByOne(new TKey[1], new TValue[1], (keys, values) => pairs.Add(new(keys[0], values[0])));
        return pairs;
    }

    internal unsafe void ScanOneByOne<TKey, TValue>(TKey[] keys, TValue[] values, BpfMapScan<TKey, TValue>.Visitor visit)
        where TKey : unmanaged where TValue : unmanaged
    {
        TKey key;
        var more = NextKey(null, &key);
        // a key deleted under the walk sends the kernel back to the start: bound the walk
        for (var steps = 0L; more && steps < 2L * Info.MaxEntries; steps++)
        {
            var current = key;
            var found = TryLookup(in current, out TValue value);
            // before the visitor, which may delete what it is shown
            more = NextKey(&current, &key);
            if (!found)
                continue;
            (keys[0], values[0]) = (current, value);
            visit(keys.AsSpan(0, 1), values.AsSpan(0, 1));
        }
    }

    private int Batch(BpfCommand command, ref MapBatchAttributes attributes)
    {
        using var lease = _fd.Lease();
        attributes.MapFd = (uint)lease.Fd;
        return BpfSyscall.Invoke(command, ref attributes);
    }

    // a batch that fails midway reports where; one that is refused at once leaves the caller's number as it was
    private static int Done(in MapBatchAttributes failed, int asked) => failed.Count < asked ? (int)failed.Count : 0;

    // EINVAL: a kernel before 5.6 does not know the command; ENOTSUPP: this type of map has no such operation
    private static bool MeansNoBatch(int result) => result is -Errno.EINVAL or -Errno.ENOTSUPP or -Errno.EOPNOTSUPP;
}
