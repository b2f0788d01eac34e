using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Tables;

/// <summary>How far a batch came.</summary>
/// <param name="Completed">Entries before this index are done.</param>
/// <param name="Error">
/// Why it stopped there; null when all are done. Entries from <paramref name="Completed"/> on may or may not be done.
/// </param>
/// <param name="Full">It stopped because the table has no room.</param>
public readonly record struct BatchOutcome(int Completed, Exception? Error = null, bool Full = false);

/// <summary>
/// A table of the kernel that only the agent writes: each update of one entry is atomic for readers, a batch is not. A batch that stops
/// reports so in its outcome; only <see cref="ReadAll"/> throws.
/// </summary>
public interface IKeyedTable<TKey, TValue> where TKey : unmanaged where TValue : unmanaged
{
    /// <summary>Entries it can hold.</summary>
    uint Capacity { get; }

    List<KeyValuePair<TKey, TValue>> ReadAll();

    /// <summary>Adds or replaces entries in order.</summary>
    BatchOutcome Update(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values);

    /// <summary>Removes entries in order; an absent one counts as done.</summary>
    BatchOutcome Delete(ReadOnlySpan<TKey> keys);
}

/// <summary>A hash or a trie in the kernel.</summary>
internal sealed class KernelTable<TKey, TValue>(BpfMap map) : IKeyedTable<TKey, TValue> where TKey : unmanaged where TValue : unmanaged
{
    public uint Capacity => map.Info.MaxEntries;

    public List<KeyValuePair<TKey, TValue>> ReadAll() => map.ReadAll<TKey, TValue>();

    public BatchOutcome Update(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
    {
        try
        {
            map.UpdateBatch(keys, values);
            return new BatchOutcome(keys.Length);
        }
        catch (KernelException e)
        {
            // A trie that is full says ENOSPC, a hash E2BIG.
            return new BatchOutcome(Math.Min(e.Written, keys.Length - 1), e, Full: e.Errno is Errno.E2BIG or Errno.ENOSPC);
        }
    }

    public BatchOutcome Delete(ReadOnlySpan<TKey> keys)
    {
        try
        {
            map.DeleteBatch(keys);
            return new BatchOutcome(keys.Length);
        }
        catch (KernelException e)
        {
            return new BatchOutcome(Math.Min(e.Written, keys.Length - 1), e);
        }
    }
}
