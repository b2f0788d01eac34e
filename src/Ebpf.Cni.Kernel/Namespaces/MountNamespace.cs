using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Namespaces;

/// <summary>
/// Work in another mount namespace: there every path means what it means there. Threads of a process share their root and working
/// directory, and the kernel lets none of them into another mount namespace as long as they do; so the work gets a thread with its own,
/// which ends with it.
/// </summary>
public static class MountNamespace
{
    /// <param name="process">
    /// A directory of procfs: /host/proc/1. Its mount namespace is entered, and its cgroup namespace: what is mounted of cgroups would be a
    /// part of them else.
    /// </param>
    /// <exception cref="KernelException">EACCES or EPERM without CAP_SYS_PTRACE, CAP_SYS_ADMIN and CAP_SYS_CHROOT.</exception>
    public static T Run<T>(string process, Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        using var mounts = LibC.OpenFile(Path.Combine(process, "ns", "mnt"), LibC.O_RDONLY);
        using var cgroups = LibC.OpenFile(Path.Combine(process, "ns", "cgroup"), LibC.O_RDONLY);
        return NamespaceThread.Run(() => Enter(mounts, cgroups), work);
    }

    /// <summary>In a private copy of the namespace: what is mounted there stays there, and goes with the work.</summary>
    /// <exception cref="KernelException">EPERM without CAP_SYS_ADMIN.</exception>
    public static T RunInCopy<T>(Func<T> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return NamespaceThread.Run(EnterCopy, work);
    }

    private static void Enter(FdHandle mounts, FdHandle cgroups)
    {
        if (LibC.Unshare(LibC.CLONE_FS) != 0)
            throw LibC.LastError("unshare the root directory");
        if (LibC.SetNamespace(cgroups, LibC.CLONE_NEWCGROUP) != 0)
            throw LibC.LastError("enter a cgroup namespace");
        if (LibC.SetNamespace(mounts, LibC.CLONE_NEWNS) != 0)
            throw LibC.LastError("enter a mount namespace");
    }

    private static void EnterCopy()
    {
        if (LibC.Unshare(LibC.CLONE_NEWNS) != 0)
            throw LibC.LastError("make a mount namespace");
        if (LibC.Mount(null, "/", null, LibC.MS_REC | LibC.MS_PRIVATE, null) != 0)
            throw LibC.LastError("make mounts private");
    }
}
