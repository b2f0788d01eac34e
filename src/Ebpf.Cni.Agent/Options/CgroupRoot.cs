using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Agent.Options;

/// <summary>
/// Where --cgroup-root auto leads to. A machine may have several mounts of cgroup v2: its own at /sys/fs/cgroup, or below it where v1 is in
/// use too; parts of it, bound into containers. Sockets of all pods are below the whole only.
/// </summary>
public static class CgroupRoot
{
    private const string Usual = "/sys/fs/cgroup";

    /// <summary>The root of a cgroup hierarchy has this inode number.</summary>
    private const ulong RootInode = 1;

    /// <summary>The same options with the directory found; with "auto" still where there is none.</summary>
    public static AgentOptions Resolve(AgentOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.CgroupRoot == AgentOptions.Auto && Find(MountTable.Read(), IsRoot) is { } found
            ? options with { CgroupRoot = found } : options;
    }

    /// <param name="mounts">In the order of mounting: a later one hides an earlier one at the same place.</param>
    /// <param name="isRoot">The directory is the root of its hierarchy.</param>
    internal static string? Find(IReadOnlyList<Mount> mounts, Func<string, bool> isRoot)
    {
        var uppermost = mounts.GroupBy(m => m.Path).Select(g => g.Last()).Where(m => m.Type == CgroupDirectory.FileSystemType).ToList();
        return uppermost
            .OrderByDescending(m => isRoot(m.Path))
            // Above this process's own cgroup namespace: what a container was given of its node, where the node is a container too.
            .ThenByDescending(m => m.Root.StartsWith("/..", StringComparison.Ordinal))
            .ThenByDescending(m => m.Path == Usual)
            .ThenByDescending(m => m.Root == "/")
            .Select(m => m.Path).FirstOrDefault();
    }

    private static bool IsRoot(string path)
    {
        try
        {
            return CgroupDirectory.Open(path).Id == RootInode;
        }
        catch (Exception e) when (e is Kernel.KernelException or IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
