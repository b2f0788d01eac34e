using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>The file system that pins live in.</summary>
public static class BpfFileSystem
{
    public const string DefaultPath = "/sys/fs/bpf";
    public const string FileSystemType = "bpf";

    /// <summary>
    /// Makes sure <paramref name="path"/> is a directory in a bpffs: mounts one at /sys/fs/bpf if the path is below it and
    /// it has none, then creates the directory.
    /// </summary>
    /// <exception cref="KernelException">Mounting is refused.</exception>
    /// <exception cref="InvalidOperationException">The path is in another file system.</exception>
    public static void Ensure(string path = DefaultPath)
    {
        EnsureMounted(path);
        Directory.CreateDirectory(path);
    }

    /// <summary>The same without the directory.</summary>
    /// <returns>It was mounted now.</returns>
    /// <inheritdoc cref="Ensure"/>
    public static bool EnsureMounted(string path = DefaultPath)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (IsInside(full))
            return false;
        if (full != DefaultPath && !full.StartsWith(DefaultPath + "/", StringComparison.Ordinal))
            throw new InvalidOperationException($"{path} is not in a bpffs; put it below {DefaultPath}, or mount -t bpf bpf {path}");
        Mount(DefaultPath);
        return true;
    }

    /// <summary>Whether the nearest mount above (or at) the path is a bpffs; the path need not exist.</summary>
    public static bool IsInside(string path)
    {
        var full = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var nearest = MountTable.Read()
            .Where(mount => mount.Path == "/" || full == mount.Path || full.StartsWith(mount.Path + "/", StringComparison.Ordinal))
            .OrderBy(mount => mount.Path.Length) // stable: of several at one place the last one hides the others
            .LastOrDefault(new Mount("", "", ""));
        return nearest.Type == FileSystemType;
    }

    /// <summary>
    /// Mounts a new bpffs at an existing directory, as systemd does: root's alone. Who opens a pin may change what it stands for.
    /// </summary>
    public static void Mount(string path)
    {
        if (LibC.Mount(FileSystemType, path, FileSystemType, LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC, "mode=700") != 0)
            throw LibC.LastError($"mount a bpffs at {path}");
    }
}
