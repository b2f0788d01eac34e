using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Namespaces;

/// <summary>
/// A mount namespace, held open by a descriptor: a tree of mounts of its own, which goes with the last descriptor and process. It is
/// entered by threads that share their root with no other, so each work gets a new one.
/// </summary>
public sealed class MountTree : IDisposable
{
    private const string OfThisThread = "/proc/thread-self/ns/mnt";
    private const int NewMounts = 0x20000, OwnRoot = 0x200;
    private readonly FdHandle _fd;

    private MountTree(FdHandle fd) => _fd = fd;

    /// <summary>By which other processes enter it (nsenter --mount), as long as it is held.</summary>
    public string Path
    {
        get
        {
            using var lease = _fd.Lease();
            return $"/proc/{Environment.ProcessId}/fd/{lease.Fd}";
        }
    }

    /// <summary>"mnt:[4026532318]": two are the same if this is.</summary>
    public string Identity => new FileInfo(Path).LinkTarget ?? "";

    /// <summary>
    /// A copy of a tree, changed by <paramref name="arrange"/> before anyone sees it. Nothing that happens in it is seen in the original;
    /// what is mounted later in the original appears in it where the original lets it.
    /// </summary>
    /// <param name="of">The original; null: the caller's.</param>
    /// <param name="network">The network namespace that <paramref name="arrange"/> works in.</param>
    /// <exception cref="KernelException">EPERM without CAP_SYS_ADMIN; or what <paramref name="arrange"/> throws.</exception>
    public static MountTree Copy(MountTree? of, NetworkNamespace network, Action arrange)
    {
        ArgumentNullException.ThrowIfNull(network);
        return network.Run(() =>
        {
            of?.Enter();
            if (LibC.Unshare(NewMounts) != 0)
                throw LibC.LastError("make a mount namespace");
            var made = new MountTree(LibC.OpenFile(OfThisThread, LibC.O_RDONLY));
            try
            {
                Mounting.Propagate("/", MountPropagation.Slave);
                arrange();
                return made;
            }
            catch
            {
                made.Dispose();
                throw;
            }
        });
    }

    /// <summary>Works inside: there every path means what it means there. What the work throws comes through.</summary>
    public void Run(Action work)
    {
        ArgumentNullException.ThrowIfNull(work);
        NamespaceThread.Run(Enter, () =>
        {
            work();
            return true;
        });
    }

    public void Dispose() => _fd.Dispose();

    private void Enter()
    {
        if (LibC.Unshare(OwnRoot) != 0)
            throw LibC.LastError("unshare the root directory");
        if (LibC.SetNamespace(_fd, NewMounts) != 0)
            throw LibC.LastError("enter a mount namespace");
    }
}
