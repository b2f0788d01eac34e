using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>enum bpf_cmd.</summary>
internal enum BpfCommand
{
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    MapNextKey = 4,
    ProgramLoad = 5,
    ObjectPin = 6,
    ObjectGet = 7,
    ProgramTestRun = 10,
    ObjectInfo = 15,
    MapLookupBatch = 24,
    MapUpdateBatch = 26,
    MapDeleteBatch = 27,
    LinkCreate = 28,
    LinkUpdate = 29,
    LinkDetach = 34,
}

/// <summary>
/// bpf(2). The kernel takes an attribute structure of any size and reads what is missing as zero, so each command has a
/// structure of its own, see BpfAttributes. Descriptors it returns have CLOEXEC.
/// </summary>
internal static unsafe class BpfSyscall
{
    // a signal (the runtime's own, for instance) may interrupt the verifier; libbpf gives it five tries too
    private const int Tries = 5;

    private static readonly long Number = RuntimeInformation.ProcessArchitecture switch
    {
        Architecture.X64 => 321,
        Architecture.Arm64 => 280,
        var other => throw new PlatformNotSupportedException($"bpf(2) has no number here for {other}"),
    };

    /// <returns>Zero or a descriptor; the negative error number when the kernel refuses.</returns>
    public static int Invoke<T>(BpfCommand command, ref T attributes) where T : unmanaged
    {
        fixed (T* pointer = &attributes)
        {
            for (var attempt = 1; ; attempt++)
            {
                var result = LibC.Syscall(Number, (long)command, pointer, sizeof(T));
                if (result >= 0)
                    return (int)result;
                var errno = Marshal.GetLastPInvokeError();
                if (attempt == Tries || errno is not (Errno.EAGAIN or Errno.EINTR))
                    return -errno;
            }
        }
    }

    /// <summary>As <see cref="Invoke"/>, for commands that return a descriptor.</summary>
    public static FdHandle InvokeForFd<T>(BpfCommand command, ref T attributes, string operation) where T : unmanaged
    {
        var result = Invoke(command, ref attributes);
        return result >= 0 ? new FdHandle(result) : throw new KernelException(operation, -result);
    }
}
