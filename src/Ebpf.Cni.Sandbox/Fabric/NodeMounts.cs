using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// A node's files: this machine's, with the node's own directories where a real node has them. They are a mount namespace in which one
/// process sleeps: the node's process 1, so to speak. It is in a cgroup of the node, so that it ends with everything else; and with it the
/// namespace, without a trace.
/// </summary>
public sealed class NodeMounts : IDisposable
{
    public const string CniConfiguration = "/etc/cni/net.d";
    public const string CniBinaries = "/opt/cni/bin";
    public const string State = "/var/lib/ebpf-cni";
    public const string Run = "/run/ebpf-cni";
    public const string NetworkNamespaces = "/run/netns";
    public const string Bpffs = BpfFileSystem.DefaultPath;
    public const string Cgroups = "/sys/fs/cgroup";
    public const string NetworkSettings = "/proc/sys/net";

    /// <summary>
    /// What a container that asks for the node's /proc is given: of all processes the first, whose namespaces are the node's.
    /// </summary>
    public const string Processes = "/proc";

    /// <summary>A node's own directories: what a container may ask for. Anything else would be this machine's.</summary>
    private static readonly string[] Own = [CniConfiguration, CniBinaries, State, Run, NetworkNamespaces, Bpffs, Cgroups, NetworkSettings];

    private readonly MountTree _tree;
    private readonly NodeDirectories _directories;

    private NodeMounts(MountTree tree, NodeDirectories directories, int first)
    {
        _tree = tree;
        _directories = directories;
        FirstProcess = first;
    }

    /// <summary>Its id.</summary>
    public int FirstProcess { get; }

    /// <summary>For nsenter: <see cref="ProcessPlan.Mounts"/>.</summary>
    public string Path => PathOf(FirstProcess);

    internal static string PathOf(int firstProcess) => string.Create(CultureInfo.InvariantCulture, $"/proc/{firstProcess}/ns/mnt");

    internal static NodeMounts Create(SandboxPaths paths, string node, NetworkNamespace network)
    {
        var directories = paths.NodeDirectories(node);
        Directory.CreateDirectory(NetworkNamespaces);
        var tree = MountTree.Copy(null, network, () => Arrange(paths, node));
        try
        {
            var plan = new ProcessPlan(network, System.IO.Path.Combine(paths.NodeCgroup(node), "init"), ["sleep", "infinity"])
            {
                Mounts = tree.Path,
                LogFile = "/dev/null", // it outlives a killed owner, and must not keep its outputs open
            };
            using var first = NodeProcess.Start(plan);
            WaitInside(first, tree.Identity);
            tree.Run(() => Mounting.Bind($"/proc/{first.Id}", System.IO.Path.Combine(directories.Processes, "1")));
            File.WriteAllText(directories.FirstProcess, first.Id.ToString(CultureInfo.InvariantCulture));
            return new NodeMounts(tree, directories, first.Id);
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>For processes that do not own the sandbox. Null: the node has none yet.</summary>
    internal static string? Find(NodeDirectories directories) =>
        File.Exists(directories.FirstProcess) ? PathOf(
            int.Parse(File.ReadAllText(directories.FirstProcess), CultureInfo.InvariantCulture)) : null;

    /// <summary>
    /// Shows a network namespace, bound outside to a path below /run/netns, at the same path to the node and its containers. It goes with
    /// the file.
    /// </summary>
    public void Show(NetworkNamespace shown, string path)
    {
        ArgumentNullException.ThrowIfNull(shown);
        var fd = shown.Handle.DangerousGetHandle();
        _tree.Run(() => Mounting.Bind($"/proc/self/fd/{fd}", path));
        GC.KeepAlive(shown);
    }

    /// <summary>Where the node has what a container asks for.</summary>
    /// <exception cref="InvalidOperationException">It is none of the node's own.</exception>
    internal string SourceOf(string hostPath)
    {
        var full = System.IO.Path.TrimEndingDirectorySeparator(
            hostPath.StartsWith("/var/run/", StringComparison.Ordinal) ? hostPath[4..] : hostPath);
        if (full == Processes)
            return _directories.Processes;
        return Own.Any(own => full == own || full.StartsWith(own + "/", StringComparison.Ordinal))
            ? full
            : throw new InvalidOperationException($"the sandbox's nodes have no {hostPath} of their own: it would be this machine's");
    }

    /// <summary>Works where every path means what it means on the node.</summary>
    internal void Inside(Action work) => _tree.Run(work);

    /// <summary>A container's tree of mounts, made from the node's.</summary>
    internal MountTree Derive(NetworkNamespace network, Action arrange) => MountTree.Copy(_tree, network, arrange);

    public void Dispose() => _tree.Dispose();

    private static void Arrange(SandboxPaths paths, string node)
    {
        var directories = paths.NodeDirectories(node);
        // a copy of what is bound elsewhere would keep other sandboxes' namespaces alive
        foreach (var bound in MountTable.Read().Where(mount => mount.Type == "nsfs"))
            Mounting.Detach(bound.Path);
        Mounting.Cover("/run", name => name != System.IO.Path.GetFileName(Run));
        HashSet<string> covered = ["/run"];
        Place(directories.Run, Run, covered);
        Place(directories.State, State, covered);
        Place(directories.CniConfiguration, CniConfiguration, covered);
        Place(directories.CniBinaries, CniBinaries, covered);
        Mounting.Bind(paths.NodeBpffs(node), Bpffs);
        Mounting.Bind(paths.NodeCgroup(node), Cgroups);
        // what is mounted here later, such as pods' namespaces, containers see too
        Mounting.Propagate("/", MountPropagation.Shared);
    }

    // Never on a directory of this machine's: a process that removes that takes the mount along, and
    // the node would have the machine's next one. What it is in, or would be made in, is covered.
    private static void Place(string source, string target, HashSet<string> covered)
    {
        var (present, own) = (System.IO.Path.GetDirectoryName(target)!, target);
        while (!Directory.Exists(present))
            (present, own) = (System.IO.Path.GetDirectoryName(present)!, present);
        if (present == "/")
            throw new InvalidOperationException(
                $"this machine has no /{target.Split('/')[1]}, in which the node's {target} could be shown");
        if (covered.Add(present))
            Mounting.Cover(present, name => name != System.IO.Path.GetFileName(own));
        Directory.CreateDirectory(target);
        Mounting.Bind(source, target);
    }

    private static void WaitInside(Process first, string identity)
    {
        var entered = $"/proc/{first.Id}/ns/mnt";
        if (!SpinWait.SpinUntil(() => first.HasExited || new FileInfo(entered).LinkTarget == identity, TimeSpan.FromSeconds(10))
            || first.HasExited)
            throw new InvalidOperationException("the node's first process did not start: nsenter and sleep must be on PATH");
    }
}
