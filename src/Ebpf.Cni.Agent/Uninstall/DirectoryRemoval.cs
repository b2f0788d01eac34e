using Ebpf.Cni.Agent.Hosting;
using Ebpf.Cni.Agent.Prepare;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Files;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Ports;

namespace Ebpf.Cni.Agent.Uninstall;

/// <summary>
/// Removes the state and run directories. Files go by name, and a directory goes only when it is empty then: an option may have named
/// one that other components use too.
/// </summary>
internal static class DirectoryRemoval
{
    private static readonly string[] Directories = [EndpointFiles.EndpointsName, PendingDelete.DirectoryName];

    private static readonly string[] Files =
    [
        EndpointFiles.PoolName, EndpointFiles.PoolName + EndpointFiles.BadSuffix, ReservedPorts.FileName, FormerSettings.FileName,
        AgentSocket.FileName, AgentSocket.FileName + ".new", ObservePaths.SocketName, Path.ChangeExtension(ObservePaths.SocketName, ".new"),
        LastStatus.FileName, AgentLock.RunName, AgentLock.StateName,
    ];

    /// <param name="directories">The two may be one.</param>
    /// <param name="report">Gets what was removed and what stays.</param>
    public static void Run(IEnumerable<string> directories, RemovalReport report)
    {
        report.Try(HostMounts.OtherCgroups, () => UnmountCgroups(report));
        foreach (var directory in directories.Distinct().Where(Directory.Exists))
            report.Try(directory, () => Remove(directory, report));
    }

    private static void Remove(string directory, RemovalReport report)
    {
        // The caller holds the locks, and has made them where there were none.
        var empty = !Directory.EnumerateFileSystemEntries(directory)
            .Any(e => Path.GetFileName(e) is not (AgentLock.RunName or AgentLock.StateName));
        AtomicFile.RemoveLeftovers(directory);
        foreach (var name in Directories.Select(n => Path.Combine(directory, n)).Where(Directory.Exists))
            Directory.Delete(name, recursive: true);
        foreach (var name in Files)
            File.Delete(Path.Combine(directory, name));
        var left = Directory.EnumerateFileSystemEntries(directory).Select(e => Path.GetFileName(e)!).Order(StringComparer.Ordinal).ToList();
        if (left.Count > 0)
        {
            report.Leave($"{directory} with {string.Join(", ", left)}: no agent made them");
        }
        else if (MountTable.FindPath(directory) is not null)
        {
            // A mount point, as in a container, cannot be deleted.
            if (empty)
                return;
            report.Remove($"all files in {directory}");
            report.Leave($"{directory}: it is empty, and a mount point");
        }
        else
        {
            Directory.Delete(directory);
            report.Remove(directory);
        }
    }

    /// <summary>
    /// "prepare" mounts the hierarchy of cgroup v2 there where version 1 has the usual place, whichever run directory the options name.
    /// </summary>
    private static void UnmountCgroups(RemovalReport report)
    {
        if (!Directory.Exists(HostMounts.OtherCgroups))
            return;
        if (MountTable.FindPath(HostMounts.OtherCgroups) is { Type: CgroupDirectory.FileSystemType })
        {
            Mounting.Detach(HostMounts.OtherCgroups);
            report.Remove($"the mount {HostMounts.OtherCgroups}");
        }

        Directory.Delete(HostMounts.OtherCgroups);
    }
}
