using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Installation;

namespace Ebpf.Cni.Agent.Options;

/// <summary>
/// What the agent may do on this machine: capabilities, and places that it writes to. Judged at start, since most of it is used only when
/// the first pod comes. That BPF is allowed needs no right of its own: where a kernel asks for CAP_BPF or CAP_PERFMON, CAP_SYS_ADMIN will
/// do.
/// </summary>
internal static class RightsCheck
{
    /// <summary>
    /// The inode of the process namespace that the machine started with (PROC_PID_INIT_INO): who is in another one is in a container.
    /// </summary>
    private const ulong FirstProcessNamespace = 0xEFFFFFFC;

    internal static readonly (Capability Capability, string Need)[] Needed =
    [
        (Capability.NetAdmin,
            "to make devices, addresses and routes, to attach programs to devices and cgroups, and to write network settings"),
        (Capability.SysAdmin,
            "to enter pods' network namespaces, and to load programs and make maps (it stands for CAP_BPF and CAP_PERFMON)"),
    ];

    public static IEnumerable<string> Errors(AgentOptions o) =>
        Missing(Capabilities.Effective()).Concat(Places(o)).Concat(Pins(o)).Concat(Settings(o));

    internal static IEnumerable<string> Missing(Capabilities held) =>
        Needed.Where(n => !held.Has(n.Capability)).Select(n => $"{Capabilities.Name(n.Capability)} is missing: needed {n.Need}");

    private static IEnumerable<string> Places(AgentOptions o)
    {
        foreach (var (name, path) in new[] { ("--state-dir", o.StateDir), ("--run-dir", o.RunDir), ("--cni-conf-dir", o.CniConfDir),
            ("--cni-bin-dir", o.CniBinDir) })
            if (Path.IsPathRooted(path) && !(path == o.CniBinDir && PluginFile.IsInstalled(o.PluginPaths))
                && WriteAccess.Refusal(path) is { } refusal)
                yield return $"{name}: {refusal}";
    }

    private static IEnumerable<string> Pins(AgentOptions o)
    {
        if (!Path.IsPathRooted(o.BpffsRoot))
            yield break;
        if (BpfFileSystem.IsInside(o.BpffsRoot))
        {
            if (WriteAccess.Refusal(o.BpffsRoot) is { } refusal)
                yield return $"--bpffs-root: {refusal}";
        }
        else if (MountNamespaceIsAContainers())
        {
            yield return $"--bpffs-root: {o.BpffsRoot} is not in a bpffs: "
                + "mount one on the node ('ebpf-cni-agent prepare' does) and into this container; "
                + "pins in a bpffs of the container are lost with it";
        }
    }

    private static IEnumerable<string> Settings(AgentOptions o)
    {
        if ((o.CniMode == CniMode.Chained && o.SocketLb != SocketLbMode.Off) || !Path.IsPathRooted(o.SysctlRoot))
            yield break;
        var forwarding = Path.Combine(o.SysctlRoot, "ipv4", "ip_forward");
        if (!File.Exists(forwarding))
            yield return $"--sysctl-root: {o.SysctlRoot} has no ipv4/ip_forward: it is not the node's /proc/sys/net";
        else if (WriteAccess.Refusal(forwarding) is { } refusal)
            yield return $"--sysctl-root: {refusal}: mount the node's /proc/sys/net into this container and name the mount point";
    }

    /// <summary>A machine's processes are in its first process namespace; a container's are not, unless it was given the node's.</summary>
    private static bool MountNamespaceIsAContainers() => NamespaceInode.OfProcesses() != FirstProcessNamespace;
}
