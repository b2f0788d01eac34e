using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>How far a batch came.</summary>
/// <param name="Completed">Entries before this index are done.</param>
/// <param name="Error">Why it stopped there; null when all are done. Entries from <paramref name="Completed"/> on may or may not be done.</param>
/// <param name="Full">It stopped because the table has no room.</param>
public readonly record struct BatchOutcome(int Completed, Exception? Error = null, bool Full = false);

/// <summary>
/// The frontends (<c>ebc_svc_v2</c>): each update of one entry is atomic for readers, a batch is not. A batch that stops tells
/// so in its outcome; only <see cref="ReadAll"/> throws.
/// </summary>
public interface IFrontendTable
{
    /// <summary>Entries it can hold.</summary>
    uint Capacity { get; }

    List<KeyValuePair<SvcKey, Svc>> ReadAll();

    /// <summary>Adds or replaces entries in order.</summary>
    BatchOutcome Update(ReadOnlySpan<SvcKey> keys, ReadOnlySpan<Svc> values);

    /// <summary>Removes entries in order; an absent one counts as done.</summary>
    BatchOutcome Delete(ReadOnlySpan<SvcKey> keys);
}

/// <summary>The backends (<c>ebc_backend_v1</c>): one array of segments in memory shared with the kernel. It is memory: writes do not fail, and are not atomic.</summary>
public interface IBackendArray
{
    /// <summary>Elements.</summary>
    uint Length { get; }

    void Read(uint offset, Span<Backend> into);

    /// <summary>Writes elements that no frontend points to; complete and visible to programs when it returns.</summary>
    void Write(uint offset, ReadOnlySpan<Backend> backends);
}
