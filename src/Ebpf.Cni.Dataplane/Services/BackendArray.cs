using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// The backends (<c>ebc_backend_v1</c>): one array of segments in memory shared with the kernel. It is memory: writes do not fail, and are
/// not atomic.
/// </summary>
public interface IBackendArray
{
    /// <summary>Elements.</summary>
    uint Length { get; }

    void Read(uint offset, Span<Backend> into);

    /// <summary>Writes elements that no frontend points to; complete and visible to programs when it returns.</summary>
    void Write(uint offset, ReadOnlySpan<Backend> backends);
}

/// <summary>The backends in the kernel, through the mapping: no system call.</summary>
internal sealed class KernelBackendArray(WindowedArray<Backend> memory) : IBackendArray
{
    public uint Length => (uint)memory.Length;

    public void Read(uint offset, Span<Backend> into) => memory.Read((int)offset, into);

    public void Write(uint offset, ReadOnlySpan<Backend> backends)
    {
        memory.Write((int)offset, backends);
        // The frontend that publishes the segment is written by the kernel, on this CPU or another.
        Interlocked.MemoryBarrier();
    }
}
