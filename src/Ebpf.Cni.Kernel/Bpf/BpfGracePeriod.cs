namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// Waits until every BPF program has ended that runs now: after that, no program holds what they have read. The kernel waits so when
/// a process replaces a map in a map (maybe_wait_bpf_programs in kernel/bpf/syscall.c, since Linux 4.20). That takes one RCU grace
/// period, some ten milliseconds without work for the processor. So a map in a map is replaced by itself. membarrier(2) waits the
/// same way, but not on kernels with nohz_full, nor on a single processor. Programs that may sleep are not waited for. Thread-safe.
/// </summary>
public sealed class BpfGracePeriod : IDisposable
{
    private readonly BpfMap _inner;
    private readonly BpfMap _outer;

    private BpfGracePeriod(BpfMap inner, BpfMap outer) => (_inner, _outer) = (inner, outer);

    /// <exception cref="KernelException">The kernel refuses.</exception>
    public static BpfGracePeriod Create()
    {
        var inner = BpfMap.Create(new BpfMapSpec("ebc_grace_in", BpfMapType.Array, sizeof(uint), sizeof(uint), 1));
        try
        {
            return new BpfGracePeriod(inner, BpfMap.CreateOfMaps("ebc_grace", 1, inner));
        }
        catch
        {
            inner.Dispose();
            throw;
        }
    }

    /// <exception cref="KernelException">The kernel refuses; nothing was waited for.</exception>
    public void Wait() => _outer.SetMap(0, _inner);

    public void Dispose()
    {
        _outer.Dispose();
        _inner.Dispose();
    }
}
