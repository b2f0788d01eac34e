using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Agent.Options;

/// <summary>Checks across options and against the machine. Reads only.</summary>
public static class OptionsCheck
{
    public static IEnumerable<string> Errors(AgentOptions o)
    {
        ArgumentNullException.ThrowIfNull(o);
        return Names(o).Concat(Paths(o)).Concat(Cgroup(o)).Concat(Files(o)).Concat(Plugin(o)).Concat(RightsCheck.Errors(o));
    }

    /// <summary>Of what "prepare" needs: it runs before there is anything else.</summary>
    public static IEnumerable<string> InstallationErrors(AgentOptions o)
    {
        ArgumentNullException.ThrowIfNull(o);
        return Absolute(("--bpffs-root", o.BpffsRoot), ("--cni-bin-dir", o.CniBinDir), ("--cni-plugin", o.CniPlugin)).Concat(Plugin(o));
    }

    /// <summary>Of what "cleanup" needs: the places, none of which has to be there.</summary>
    public static IEnumerable<string> RemovalErrors(AgentOptions o)
    {
        ArgumentNullException.ThrowIfNull(o);
        return Absolute(
            ("--bpffs-root", o.BpffsRoot), ("--sysctl-root", o.SysctlRoot), ("--state-dir", o.StateDir), ("--run-dir", o.RunDir),
            ("--cni-conf-dir", o.CniConfDir), ("--cni-bin-dir", o.CniBinDir));
    }

    private static IEnumerable<string> Names(AgentOptions o)
    {
        if (o.NodeName.Length == 0)
            yield return "--node-name: is required (in a pod: the downward API's spec.nodeName)";
        else if (o.NodeName.Length > 253 || !o.NodeName.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.'))
            yield return $"--node-name: '{o.NodeName}' is not the name of a node";
        if (o.MetricsAddress.Port == o.HealthzAddress.Port)
            yield return $"--metrics-address, --healthz-address: both have the port {o.MetricsAddress.Port}";
        if (o.Mtu is not 0 and < 1280)
            yield return $"--mtu: {o.Mtu} is below IPv6's minimum, 1280";
    }

    private static IEnumerable<string> Paths(AgentOptions o)
    {
        foreach (var error in Absolute(
            ("--bpffs-root", o.BpffsRoot), ("--sysctl-root", o.SysctlRoot), ("--bpf-objects", o.BpfObjects), ("--state-dir", o.StateDir),
            ("--run-dir", o.RunDir),
            ("--cni-conf-dir", o.CniConfDir), ("--cni-bin-dir", o.CniBinDir), ("--cni-plugin", o.CniPlugin)))
            yield return error;

        // sockaddr_un.sun_path has 108 bytes with the terminator.
        if (System.Text.Encoding.UTF8.GetByteCount(o.ObserveSocket) > 107)
            yield return $"--run-dir: '{o.RunDir}' is too long for a socket's path (107 bytes with /{Path.GetFileName(o.ObserveSocket)})";
    }

    private static IEnumerable<string> Absolute(params (string Name, string Path)[] options) =>
        options.Where(o => !Path.IsPathRooted(o.Path)).Select(o => $"{o.Name}: '{o.Path}' is not an absolute path");

    private static IEnumerable<string> Plugin(AgentOptions o)
    {
        if (!File.Exists(o.CniPlugin))
            yield return $"--cni-plugin: {o.CniPlugin} does not exist";
    }

    private static IEnumerable<string> Cgroup(AgentOptions o)
    {
        // Without socket hooks there is nothing to attach.
        if (o.SocketLb == SocketLbMode.Off)
            yield break;
        if (o.CgroupRoot == AgentOptions.Auto)
            yield return "--cgroup-root: no cgroup v2 file system is mounted: mount -t cgroup2 none /sys/fs/cgroup, or use --socket-lb off";
        else if (!Path.IsPathRooted(o.CgroupRoot))
            yield return $"--cgroup-root: '{o.CgroupRoot}' is not an absolute path";
        else if (!File.Exists(Path.Combine(o.CgroupRoot, "cgroup.procs")))
            yield return $"--cgroup-root: {o.CgroupRoot} is not a cgroup v2 directory{Hint()}";
    }

    private static IEnumerable<string> Files(AgentOptions o)
    {
        foreach (var name in new[] { "socket.bpf.o", "pod.bpf.o", "uplink.bpf.o", "overlay.bpf.o" })
            if (!File.Exists(Path.Combine(o.BpfObjects, name)))
                yield return $"--bpf-objects: {Path.Combine(o.BpfObjects, name)} does not exist";
        if (o.Kubeconfig.Length > 0 && !File.Exists(o.Kubeconfig))
            yield return $"--kubeconfig: {o.Kubeconfig} does not exist";
        if (o.Kubeconfig.Length == 0 && !Directory.Exists(KubernetesConnection.ServiceAccountDirectory))
            yield return "--kubeconfig: is required outside a pod";
    }

    private static string Hint() =>
        MountTable.FindType(CgroupDirectory.FileSystemType) is { } mount ? $"; one is mounted at {mount.Path}" : "; none is mounted";
}
