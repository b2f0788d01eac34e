using System.Text;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>What maps, programs and links have in common: pins in a bpffs, and information about the descriptor.</summary>
internal static unsafe class BpfFile
{
    /// <summary>The kernel's name of each kind of BPF descriptor, as /proc/self/fd shows it.</summary>
    public const string Map = "bpf-map", Program = "bpf-prog", Link = "bpf-link";

    public static void Pin(FdHandle fd, string path)
    {
        fixed (byte* native = NativePath(path))
        {
            using var lease = fd.Lease();
            var attributes = new ObjectPathAttributes { Path = native, Fd = (uint)lease.Fd };
            var result = BpfSyscall.Invoke(BpfCommand.ObjectPin, ref attributes);
            if (result < 0)
                throw new KernelException($"pin to {path}", -result,
                    result == -Errno.EPERM ? "pins live in a bpffs; is one mounted there?" : null);
        }
    }

    /// <returns>Null if nothing is at <paramref name="path"/>.</returns>
    /// <exception cref="KernelException">Any other failure; EINVAL if what is pinned there is no <paramref name="kind"/>.</exception>
    public static FdHandle? TryOpen(string path, string kind)
    {
        fixed (byte* native = NativePath(path))
        {
            var attributes = new ObjectPathAttributes { Path = native };
            var result = BpfSyscall.Invoke(BpfCommand.ObjectGet, ref attributes);
            if (result == -Errno.ENOENT)
                return null;
            var operation = $"open the pin {path}";
            var fd = result >= 0 ? new FdHandle(result) : throw new KernelException(operation, -result);
            var found = KindOf(result);
            if (found == kind)
                return fd;
            fd.Dispose();
            throw new KernelException(operation, Errno.EINVAL, $"expected a {kind}, found a {found}");
        }
    }

    public static FdHandle Open(string path, string kind) =>
        TryOpen(path, kind) ?? throw new KernelException($"open the pin {path}", Errno.ENOENT);

    public static T Info<T>(FdHandle fd, string what) where T : unmanaged
    {
        T info = default;
        using var lease = fd.Lease();
        var attributes = new ObjectInfoAttributes { Fd = (uint)lease.Fd, Length = (uint)sizeof(T), Info = &info };
        var result = BpfSyscall.Invoke(BpfCommand.ObjectInfo, ref attributes);
        return result >= 0 ? info : throw new KernelException($"read information about {what}", -result);
    }

    private static string KindOf(int fd)
    {
        const string anonymous = "anon_inode:";
        var target = new FileInfo($"/proc/self/fd/{fd}").LinkTarget ?? "";
        var name = target.StartsWith(anonymous, StringComparison.Ordinal) ? target[anonymous.Length..] : target;
        // the kernel calls a link bpf_link when it is made and bpf-link when it is opened again
        return name.Trim('[', ']').Replace('_', '-');
    }

    private static byte[] NativePath(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        return Encoding.UTF8.GetBytes(path + '\0');
    }
}
