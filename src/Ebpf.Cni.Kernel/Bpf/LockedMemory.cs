using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// Kernels before 5.11 charge maps and programs to RLIMIT_MEMLOCK. Raised once; a refusal (no CAP_SYS_RESOURCE) is
/// ignored, since later kernels charge the memory cgroup and do not look at the limit.
/// </summary>
internal static unsafe class LockedMemory
{
    private static int _done;

    public static void Unlimit()
    {
        if (Interlocked.Exchange(ref _done, 1) != 0)
            return;
        var unlimited = new LibC.ResourceLimit { Soft = ulong.MaxValue, Hard = ulong.MaxValue };
        _ = LibC.SetResourceLimit(LibC.RLIMIT_MEMLOCK, &unlimited);
    }
}
