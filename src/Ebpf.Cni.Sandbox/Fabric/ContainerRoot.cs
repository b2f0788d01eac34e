using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Install;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// The files of a container on a node: what the image has, with the container's mounts, and nothing else. Programs and libraries are this
/// machine's, read-only; what the image has of ours is the directory of artifacts.
/// </summary>
/// <param name="Artifacts">What the image has in /opt/ebpf-cni.</param>
/// <param name="Volumes">Volume → where the node has it.</param>
/// <param name="Secrets">The directory of the service account's files; null: the container gets none.</param>
internal sealed record ContainerRoot(ContainerPlan Container, string Artifacts, IReadOnlyDictionary<string, string> Volumes,
    string? Secrets)
{
    private const string Product = "/opt/ebpf-cni";
    private const string ServiceAccount = "/run/secrets/kubernetes.io/serviceaccount";

    private static readonly string[] Programs = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"];
    private static readonly string[] Settings =
        ["hosts", "resolv.conf", "passwd", "group", "nsswitch.conf", "ssl", "alternatives", "ld.so.cache"];
    private static readonly string[] Devices = ["null", "zero", "full", "random", "urandom", "tty"];

    /// <summary>Which runtimes keep a container without privileges from writing.</summary>
    private static readonly string[] ReadOnlyOfProc = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

    /// <param name="place">An empty directory to build it at.</param>
    public MountTree Create(NodeMounts node, NetworkNamespace network, string place) => node.Derive(network, () => Arrange(place));

    private void Arrange(string root)
    {
        Mounting.FileSystem("tmpfs", root, data: "mode=755");
        Machine(root);
        Kernel(root);
        foreach (var mount in Container.Mounts.OrderBy(m => m.Path.Count(c => c == '/')))
            Show(root, mount);
        if (Secrets is not null)
            BindReadOnly(Secrets, root + ServiceAccount);
        if (Container.ReadOnlyRoot)
            Mounting.ReadOnly(root);
        Mounting.ChangeRoot(root);
    }

    private void Machine(string root)
    {
        foreach (var name in Programs)
        {
            var info = new DirectoryInfo("/" + name);
            if (info.LinkTarget is { } target)
                File.CreateSymbolicLink($"{root}/{name}", target);
            else if (info.Exists)
                BindReadOnly(info.FullName, $"{root}/{name}");
        }
        foreach (var name in Settings.Where(name => Path.Exists("/etc/" + name)))
            BindReadOnly("/etc/" + name, $"{root}/etc/{name}");
        BindReadOnly(Artifacts, root + Product);
        foreach (var directory in (string[])["run", "tmp", "var"])
            Directory.CreateDirectory($"{root}/{directory}");
        File.CreateSymbolicLink(root + "/var/run", "/run");
    }

    private static void Kernel(string root)
    {
        Mounting.BindNew("/proc", root + "/proc");
        foreach (var name in ReadOnlyOfProc.Where(name => Path.Exists("/proc/" + name)))
            BindReadOnly("/proc/" + name, $"{root}/proc/{name}");
        Directory.CreateDirectory(root + "/sys");
        Mounting.FileSystem("sysfs", root + "/sys", readOnly: true);
        Directory.CreateDirectory(root + "/dev");
        Mounting.FileSystem("tmpfs", root + "/dev", data: "mode=755");
        foreach (var name in Devices)
            Mounting.BindNew("/dev/" + name, $"{root}/dev/{name}");
        foreach (var (name, target) in ((string, string)[])[("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2")])
            File.CreateSymbolicLink($"{root}/dev/{name}", target);
    }

    private void Show(string root, MountPlan mount)
    {
        var source = Path.Combine(Volumes[mount.Volume], mount.SubPath);
        // the image's /var/run leads to /run
        var target = root + (mount.Path.StartsWith("/var/run/", StringComparison.Ordinal) ? mount.Path[4..] : mount.Path);
        Mounting.BindNew(source, target);
        Mounting.Propagate(target, mount.Propagation switch
        {
            Propagation.HostToContainer => MountPropagation.Slave,
            Propagation.Bidirectional => MountPropagation.Shared,
            _ => MountPropagation.Private,
        });
        if (mount.ReadOnly)
            Mounting.ReadOnly(target);
    }

    private static void BindReadOnly(string source, string target)
    {
        Mounting.BindNew(source, target);
        Mounting.ReadOnly(target);
    }
}
