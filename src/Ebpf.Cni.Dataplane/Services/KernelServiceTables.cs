using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Services;

/// <summary>The frontends in the kernel.</summary>
internal sealed class KernelFrontendTable(BpfMap map) : IFrontendTable
{
    public uint Capacity => map.Info.MaxEntries;

    public List<KeyValuePair<SvcKey, Svc>> ReadAll() => map.ReadAll<SvcKey, Svc>();

    public BatchOutcome Update(ReadOnlySpan<SvcKey> keys, ReadOnlySpan<Svc> values)
    {
        try
        {
            map.UpdateBatch(keys, values);
            return new BatchOutcome(keys.Length);
        }
        catch (KernelException e)
        {
            return new BatchOutcome(Math.Min(e.Written, keys.Length - 1), e, Full: e.Errno == Errno.E2BIG);
        }
    }

    public BatchOutcome Delete(ReadOnlySpan<SvcKey> keys)
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
