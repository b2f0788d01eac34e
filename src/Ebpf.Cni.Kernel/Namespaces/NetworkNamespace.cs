using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Namespaces;

/// <summary>
/// A network namespace, held open by a descriptor. One that is bound to a path lives until <see cref="Remove"/>; another
/// until its last descriptor and process are gone.
/// </summary>
public sealed class NetworkNamespace : IDisposable
{
    private const string OfThisThread = "/proc/thread-self/ns/net";

    private readonly FdHandle _fd;

    private NetworkNamespace(FdHandle fd) => _fd = fd;

    /// <summary>The descriptor, for netlink and for processes to be started inside.</summary>
    public SafeHandle Handle => _fd;

    /// <summary>Two namespaces are the same if this is.</summary>
    public ulong Inode
    {
        get
        {
            using var lease = _fd.Lease();
            return LibC.Inode($"/proc/self/fd/{lease.Fd}");
        }
    }

    /// <summary>
    /// The kernel's number of it, as bpf_get_netns_cookie has it: never used twice, unlike <see cref="Inode"/>. 0 where the kernel cannot
    /// tell (SO_NETNS_COOKIE, Linux 5.14).
    /// </summary>
    /// <exception cref="KernelException">It cannot be entered.</exception>
    public ulong Cookie() => Run<ulong>(CurrentCookie);

    /// <summary><see cref="Cookie"/> of the calling thread's.</summary>
    public static unsafe ulong CurrentCookie()
    {
        const int socketLevel = 1, netnsCookie = 71;
        using var socket = OpenSocket();
        ulong cookie = 0;
        uint size = sizeof(ulong);
        if (LibC.GetSocketOption(socket, socketLevel, netnsCookie, &cookie, &size) == 0)
            return cookie;
        if (Marshal.GetLastPInvokeError() == Errno.ENOPROTOOPT)
            return 0;
        throw LibC.LastError("read a network namespace's cookie");
    }

    /// <summary>A new namespace, its loopback up, bound to <paramref name="path"/> (a file made for it, with its directory).</summary>
    /// <exception cref="KernelException">EEXIST if the path is taken. Nothing is left behind.</exception>
    public static NetworkNamespace Create(string path)
    {
        MakeMountPoint(path);
        try
        {
            return NamespaceThread.Run(EnterNew, () =>
            {
                if (LibC.Mount(OfThisThread, path, null, LibC.MS_BIND, null) != 0)
                    throw LibC.LastError($"bind a network namespace to {path}");
                return Prepared();
            });
        }
        catch
        {
            Remove(path);
            throw;
        }
    }

    /// <summary>A new namespace, its loopback up, without a path: gone when the result is disposed and nothing else is inside.</summary>
    public static NetworkNamespace CreateAnonymous() => NamespaceThread.Run(EnterNew, Prepared);

    /// <param name="path">Where one is bound, or /proc/PID/ns/net.</param>
    /// <exception cref="KernelException">ENOENT if nothing is there; EINVAL if it is no network namespace.</exception>
    public static NetworkNamespace Open(string path)
    {
        var found = new NetworkNamespace(LibC.OpenFile(path, LibC.O_RDONLY));
        if (LibC.ControlDevice(found._fd, LibC.NS_GET_NSTYPE, 0) == LibC.CLONE_NEWNET)
            return found;
        found.Dispose();
        throw new KernelException($"open the network namespace {path}", Errno.EINVAL, "not a network namespace");
    }

    /// <summary>The calling thread's.</summary>
    public static NetworkNamespace Current() => new(LibC.OpenFile(OfThisThread, LibC.O_RDONLY));

    /// <summary>Unbinds and deletes the path; what is not there is no error. Processes inside keep the namespace alive.</summary>
    public static void Remove(string path)
    {
        if (LibC.Unmount(path, LibC.MNT_DETACH) != 0 && Marshal.GetLastPInvokeError() is not (Errno.ENOENT or Errno.EINVAL))
            throw LibC.LastError($"unbind the network namespace {path}");
        File.Delete(path);
    }

    /// <summary>
    /// Runs synchronous work inside, on a thread made for it; sockets opened there stay in the namespace. What the work
    /// throws comes through with its stack.
    /// </summary>
    /// <exception cref="KernelException">The namespace cannot be entered.</exception>
    public void Run(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        Run(() =>
        {
            work();
            return true;
        });
    }

    /// <inheritdoc cref="Run(Action)"/>
    /// <exception cref="ArgumentException">The work is asynchronous: after its first wait it would go on outside.</exception>
    public T Run<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        if (typeof(Task).IsAssignableFrom(typeof(T)))
            throw new ArgumentException("asynchronous work would leave the namespace at its first wait");
        return NamespaceThread.Run(Enter, work);
    }

    public void Dispose() => _fd.Dispose();

    private static void EnterNew()
    {
        if (LibC.Unshare(LibC.CLONE_NEWNET) != 0)
            throw LibC.LastError("make a network namespace");
    }

    /// <summary>In a new namespace loopback is down (netdevice(7), SIOCSIFFLAGS).</summary>
    private static unsafe NetworkNamespace Prepared()
    {
        const nuint setFlags = 0x8914;
        const int nameLength = 16, requestLength = 40; // struct ifreq: the name, then a short of flags
        Span<byte> request = stackalloc byte[requestLength];
        request.Clear();
        "lo"u8.CopyTo(request);
        request[nameLength] = 1; // IFF_UP, little-endian
        using var socket = OpenSocket();
        fixed (byte* argument = request)
        {
            if (LibC.ControlDevice(socket, setFlags, (nint)argument) != 0)
                throw LibC.LastError("switch loopback on");
        }
        return Current();
    }

    /// <summary>Of the calling thread's namespace.</summary>
    private static FdHandle OpenSocket()
    {
        const int internet = 2, datagram = 2, closeOnExec = 0x80000;
        var fd = LibC.Socket(internet, datagram | closeOnExec, 0);
        return fd < 0 ? throw LibC.LastError("open a socket") : new FdHandle(fd);
    }

    private void Enter()
    {
        if (LibC.SetNamespace(_fd, LibC.CLONE_NEWNET) != 0)
            throw LibC.LastError("enter a network namespace");
    }

    private static void MakeMountPoint(string path)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } directory)
            Directory.CreateDirectory(directory);
        try
        {
            File.Open(path, FileMode.CreateNew).Dispose();
        }
        catch (IOException) when (File.Exists(path))
        {
            throw new KernelException($"make the network namespace {path}", Errno.EEXIST);
        }
    }
}
