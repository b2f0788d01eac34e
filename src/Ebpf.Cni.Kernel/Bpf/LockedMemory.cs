using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>
/// Kernels before 5.11 charge maps and programs to RLIMIT_MEMLOCK. Raised once; a refusal (no CAP_SYS_RESOURCE) is
/// ignored, since later kernels charge the memory cgroup and do not look at the limit. Where it matters after all, the failure says so.
/// </summary>
internal static unsafe class LockedMemory
{
    private static int _done;
    private static bool _limited;

    public static void Unlimit()
    {
        if (Interlocked.Exchange(ref _done, 1) != 0)
            return;
        var unlimited = new LibC.ResourceLimit { Soft = ulong.MaxValue, Hard = ulong.MaxValue };
        _limited = LibC.SetResourceLimit(LibC.RLIMIT_MEMLOCK, &unlimited) != 0;
    }

    /// <summary>What may be behind a map that could not be made: null if the limit cannot be.</summary>
    public static string? Hint(int errno) => Hint(errno, _limited);

    internal static string? Hint(int errno, bool limited) => errno == Errno.EPERM && limited
        ? "kernels before 5.11 count maps as locked memory: grant CAP_SYS_RESOURCE, or remove the limit (ulimit -l)"
        : null;
}
