using System.Globalization;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>A cgroup of the v2 hierarchy: a directory that processes and BPF programs are put into.</summary>
public sealed class CgroupDirectory
{
    public const string FileSystemType = "cgroup2";

    /// <summary>What has exited is taken out of its cgroup a little later, by the scheduler (cgroup_task_dead).</summary>
    private static readonly TimeSpan LastOnesLeave = TimeSpan.FromSeconds(5);

    private CgroupDirectory(string path) => DirectoryPath = path;

    public string DirectoryPath { get; }

    /// <summary>
    /// The kernel's id of it, as in <c>bpf_get_current_cgroup_id</c> and <see cref="Bpf.BpfLinkInfo.CgroupId"/>: its inode number.
    /// </summary>
    public ulong Id => LibC.Inode(DirectoryPath);

    /// <summary>The processes directly in it.</summary>
    public IReadOnlyList<int> ProcessIds =>
        [.. File.ReadAllLines(ProcessFile).Where(line => line.Length > 0).Select(line => int.Parse(line, CultureInfo.InvariantCulture))];

    private string ProcessFile => Path.Combine(DirectoryPath, "cgroup.procs");

    /// <summary>Where the v2 hierarchy is mounted: /sys/fs/cgroup, or below it where v1 controllers are in use too.</summary>
    /// <exception cref="DirectoryNotFoundException">It is mounted nowhere; says how to mount it.</exception>
    public static string FindMountPoint() =>
        MountTable.FindType(FileSystemType)?.Path
        ?? throw new DirectoryNotFoundException("no cgroup v2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup");

    /// <summary>Mounts the v2 hierarchy at a directory, which is made if it is missing.</summary>
    /// <exception cref="KernelException">Mounting is refused.</exception>
    public static void Mount(string path)
    {
        Directory.CreateDirectory(path);
        if (LibC.Mount(FileSystemType, path, FileSystemType, LibC.MS_NOSUID | LibC.MS_NODEV | LibC.MS_NOEXEC, null) != 0)
            throw LibC.LastError($"mount cgroup v2 at {path}");
    }

    public static CgroupDirectory Open(string path) =>
        Directory.Exists(path) ? new CgroupDirectory(path) : throw new DirectoryNotFoundException($"there is no cgroup {path}");

    /// <summary>Makes it, with its parents; one that exists is taken as it is.</summary>
    public static CgroupDirectory Create(string path)
    {
        Directory.CreateDirectory(path);
        return new CgroupDirectory(path);
    }

    /// <summary>Moves a process, with all its threads, here.</summary>
    public void Add(int processId) => File.WriteAllText(ProcessFile, processId.ToString(CultureInfo.InvariantCulture));

    /// <summary>
    /// Removes it with the cgroups below; all must be without processes, or their last threads about to end. One that is gone is no error.
    /// </summary>
    /// <exception cref="IOException">It is in use.</exception>
    public void Remove()
    {
        if (!Directory.Exists(DirectoryPath))
            return;
        foreach (var child in Directory.GetDirectories(DirectoryPath))
            new CgroupDirectory(child).Remove();
        if (!SpinWait.SpinUntil(TryRemoveEmpty, LastOnesLeave))
            Directory.Delete(DirectoryPath);
    }

    // a cgroup's files cannot be deleted and do not hinder rmdir(2), which Directory.Delete is without recursion
    private bool TryRemoveEmpty()
    {
        try
        {
            Directory.Delete(DirectoryPath);
            return true;
        }
        catch (DirectoryNotFoundException)
        {
            return true;
        }
        catch (IOException) when (ProcessIds.Count == 0)
        {
            return false;
        }
    }
}
