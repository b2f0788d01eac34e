using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Agent.Prepare;

/// <summary>
/// What has to be mounted on the node before a container can be given it: a container's own mounts are private, and pins in them are lost
/// with it. Acts on the calling thread's mount namespace.
/// </summary>
internal static class HostMounts
{
    internal const string UsualCgroups = "/sys/fs/cgroup";

    /// <summary>Where v1 has the usual place. The agent's container is given what is above.</summary>
    internal const string OtherCgroups = "/run/ebpf-cni/cgroup";

    /// <returns>What was mounted, in words; what was there is not touched.</returns>
    /// <exception cref="Kernel.KernelException">Mounting is refused.</exception>
    /// <exception cref="InvalidOperationException">--bpffs-root is neither in a bpffs nor where one would be mounted.</exception>
    public static IReadOnlyList<string> Ensure(AgentOptions options)
    {
        var mounted = new List<string>();
        if (BpfFileSystem.EnsureMounted(options.BpffsRoot))
            mounted.Add($"mounted a bpffs at {BpfFileSystem.DefaultPath}");
        if (options.SocketLb != SocketLbMode.Off && CgroupMissing(MountTable.Read()) is { } place)
        {
            CgroupDirectory.Mount(place);
            mounted.Add($"mounted cgroup v2 at {place}");
        }

        return mounted;
    }

    /// <summary>Where cgroup v2 is to be mounted; null if it is there, at the usual place or below it (beside v1), or at ours.</summary>
    internal static string? CgroupMissing(IReadOnlyList<Mount> mounts)
    {
        var uppermost = mounts.GroupBy(m => m.Path).Select(g => g.Last()).ToList();
        if (uppermost.Exists(m => m.Type == CgroupDirectory.FileSystemType
            && (m.Path is UsualCgroups or OtherCgroups || m.Path.StartsWith(UsualCgroups + "/", StringComparison.Ordinal))))
            return null;
        return uppermost.Exists(m => m.Path == UsualCgroups) ? OtherCgroups : UsualCgroups;
    }
}
