using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Ebpf.Cni.Kernel.Interop;

/// <summary>
/// A file descriptor that is closed exactly once. The kernel hands BPF, netlink and namespace descriptors out with CLOEXEC.
/// </summary>
internal sealed class FdHandle : SafeHandleMinusOneIsInvalid
{
    public FdHandle() : base(ownsHandle: true)
    {
    }

    public FdHandle(int fd) : base(ownsHandle: true) => SetHandle(fd);

    /// <summary>Keeps the descriptor open while its number is used inside a structure given to the kernel.</summary>
    /// <exception cref="ObjectDisposedException">The descriptor is closed.</exception>
    public FdLease Lease() => new(this);

    /// <summary>A second descriptor of the same object, with CLOEXEC.</summary>
    public static FdHandle Duplicate(int fd)
    {
        var copy = LibC.Fcntl(fd, LibC.F_DUPFD_CLOEXEC, 0);
        return copy >= 0 ? new FdHandle(copy) : throw LibC.LastError($"duplicate file descriptor {fd}");
    }

    protected override bool ReleaseHandle() => LibC.Close((int)handle) == 0;
}

/// <summary>A use of a descriptor; it cannot be closed, and its number not given to another file, before the lease ends.</summary>
internal readonly ref struct FdLease
{
    private readonly SafeHandle? _owner;

    public FdLease(SafeHandle owner)
    {
        var taken = false;
        owner.DangerousAddRef(ref taken);
        _owner = owner;
        Fd = (int)owner.DangerousGetHandle();
    }

    public int Fd { get; }

    /// <summary>A default lease holds nothing.</summary>
    public void Dispose() => _owner?.DangerousRelease();
}
