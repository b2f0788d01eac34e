using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>Whether mounts made later at one copy of a tree of mounts appear at others.</summary>
public enum MountPropagation
{
    /// <summary>They do not.</summary>
    Private = 0x40000,

    /// <summary>Here they do, from here they do not.</summary>
    Slave = 0x80000,

    /// <summary>In both directions.</summary>
    Shared = 0x100000,
}

/// <summary>
/// Mounts in the calling thread's mount namespace. Every failure is a <see cref="KernelException"/> that names what was to be mounted.
/// </summary>
public static class Mounting
{
    private const int ReadOnlyFlag = 1, Remount = 0x20, BindFlag = 0x1000, Recursive = 0x4000;

    /// <summary>Shows a directory or file at another place too, with all that is mounted below it.</summary>
    public static void Bind(string source, string target) =>
        Call(source, target, null, BindFlag | Recursive, null, $"bind {source} to {target}");

    /// <summary>What is mounted at <paramref name="target"/> can no longer be written there; what is mounted below it can.</summary>
    public static void ReadOnly(string target) =>
        Call(null, target, null, Remount | BindFlag | ReadOnlyFlag, null, $"make {target} read-only");

    /// <summary>Of what is mounted at <paramref name="target"/> and below.</summary>
    public static void Propagate(string target, MountPropagation kind) =>
        Call(null, target, null, (int)kind | Recursive, null, $"make {target} {kind}");

    /// <param name="type">"tmpfs", "sysfs": the network namespace that it shows is the calling thread's.</param>
    public static void FileSystem(string type, string target, bool readOnly = false, string? data = null) =>
        Call(type, target, type, readOnly ? ReadOnlyFlag : 0, data, $"mount {type} at {target}");

    /// <summary>What is in use goes when it no longer is. Where nothing is mounted, nothing happens.</summary>
    public static void Detach(string target)
    {
        if (LibC.Unmount(target, LibC.MNT_DETACH) != 0
            && System.Runtime.InteropServices.Marshal.GetLastPInvokeError() is not (Errno.EINVAL or Errno.ENOENT))
            throw LibC.LastError($"unmount {target}");
    }

    /// <summary>
    /// Covers a directory by an empty one in memory, in which what was there is seen again, as far as <paramref name="keep"/> wants it:
    /// then it can be added to without a trace. What is made in the original later is not seen.
    /// </summary>
    /// <param name="keep">Whether an entry of this name stays visible.</param>
    public static void Cover(string directory, Func<string, bool> keep)
    {
        ArgumentNullException.ThrowIfNull(keep);
        using var original = LibC.OpenFile(directory, LibC.O_RDONLY | LibC.O_DIRECTORY);
        using var lease = original.Lease();
        var below = $"/proc/thread-self/fd/{lease.Fd}/";
        FileSystem("tmpfs", directory, data: "mode=755");
        foreach (var entry in new DirectoryInfo(below).EnumerateFileSystemInfos().Where(e => keep(e.Name)))
        {
            var seen = Path.Combine(directory, entry.Name);
            if (entry.LinkTarget is { } target)
                File.CreateSymbolicLink(seen, target);
            else
                BindNew(below + entry.Name, seen);
        }
    }

    /// <summary>As <see cref="Bind"/>; the place, a directory or an empty file, is made where there is none.</summary>
    public static void BindNew(string source, string target)
    {
        if (Directory.Exists(source))
            Directory.CreateDirectory(target);
        else if (!File.Exists(target))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            // Made without being opened: a child of another thread would keep it open for writing until its exec, and a mount with
            // writers does not become read-only (EBUSY).
            if (LibC.MakeNode(target, LibC.S_IFREG | 0x1A4 /* 0644 */, 0) != 0)
                throw LibC.LastError($"make {target}");
        }
        Bind(source, target);
    }

    /// <summary>What is mounted at <paramref name="newRoot"/> becomes the root, and nothing else of the tree is left.</summary>
    public static void ChangeRoot(string newRoot)
    {
        Enter(newRoot);
        // the old root comes to lie upon the new one, and goes from there: no directory is needed for it (pivot_root(2))
        if (LibC.PivotRoot(".", ".") != 0)
            throw LibC.LastError($"make {newRoot} the root");
        if (LibC.Unmount(".", LibC.MNT_DETACH) != 0)
            throw LibC.LastError("unmount the old root");
        Enter("/");
    }

    private static void Enter(string directory)
    {
        if (LibC.ChangeDirectory(directory) != 0)
            throw LibC.LastError($"go to {directory}");
    }

    private static void Call(string? source, string target, string? type, int flags, string? data, string what)
    {
        if (LibC.Mount(source, target, type, (nuint)flags, data) != 0)
            throw LibC.LastError(what);
    }
}
