using Ebpf.Cni.Kernel.Host;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>
/// Where a sandbox puts what it makes. Every name starts with "ebpf-cni-sandbox-NAME", so that what a killed sandbox left
/// behind is found without any record of it.
/// </summary>
public sealed class SandboxPaths
{
    private const string NamespaceDirectory = "/run/netns";

    /// <param name="name">Lowercase letters, digits and dashes, at most 30: it becomes part of file names.</param>
    /// <exception cref="ArgumentException">Another character, or too long.</exception>
    public SandboxPaths(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (name.Length > 30 || name.Any(c => c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')))
            throw new ArgumentException($"'{name}' cannot name a sandbox: up to 30 lowercase letters, digits and dashes");
        Name = name;
        // the underscore ends the name: sandbox "a" must not take what belongs to sandbox "a-b" for its own (a bpffs allows no dots)
        Prefix = $"ebpf-cni-sandbox-{name}_";
    }

    public string Name { get; }

    /// <summary>What the names of all namespaces and bpffs directories of this sandbox start with.</summary>
    public string Prefix { get; }

    public string WorkDirectory => $"/run/ebpf-cni-sandbox-{Name}";

    public string StateFile => Path.Combine(WorkDirectory, "sandbox.json");

    /// <summary>
    /// What the process that owns the sandbox prints, where it has no terminal. Beside the work directory: it is older than that.
    /// </summary>
    public string OwnerLog => $"/run/ebpf-cni-sandbox-{Name}.log";

    public string KubeconfigFile => Path.Combine(WorkDirectory, "kubeconfig");

    /// <summary>The certificate that the API shows to pods.</summary>
    public string AuthorityFile => Path.Combine(WorkDirectory, "ca.crt");

    public string CgroupPath => Path.Combine(CgroupDirectory.FindMountPoint(), $"ebpf-cni-sandbox-{Name}");

    public string FabricNamespace => Path.Combine(NamespaceDirectory, Prefix + "fabric");

    public string OutsideNamespace => Path.Combine(NamespaceDirectory, Prefix + "outside");

    public string OutsideCgroup => Path.Combine(CgroupPath, "outside");

    public string NodeNamespace(string node) => Path.Combine(NamespaceDirectory, $"{Prefix}{node}");

    public string PodNamespace(string podUid) => Path.Combine(NamespaceDirectory, $"{Prefix}pod-{podUid}");

    public string NodeCgroup(string node) => Path.Combine(CgroupPath, node);

    public string PodCgroup(string node, string podUid) => Path.Combine(NodeCgroup(node), "pods", podUid);

    /// <summary>What the node has at /sys/fs/bpf.</summary>
    public string NodeBpffs(string node) => Path.Combine(BpfFileSystem.DefaultPath, Prefix + node);

    public NodeDirectories NodeDirectories(string node) => new(Path.Combine(WorkDirectory, node));

    /// <summary>All namespaces that exist and carry this sandbox's prefix.</summary>
    public IReadOnlyList<string> ExistingNamespaces() => Existing(NamespaceDirectory, Directory.GetFiles);

    /// <summary>All bpffs directories that exist and carry this sandbox's prefix.</summary>
    public IReadOnlyList<string> ExistingBpffsDirectories() => Existing(BpfFileSystem.DefaultPath, Directory.GetDirectories);

    private string[] Existing(string directory, Func<string, string, string[]> find) =>
        Directory.Exists(directory) ? find(directory, Prefix + "*") : [];
}

/// <summary>The directories of one node, which a real one has below /var and /etc.</summary>
/// <param name="Root">Above them all.</param>
public sealed record NodeDirectories(string Root)
{
    public string State => Path.Combine(Root, "state");

    public string Run => Path.Combine(Root, "run");

    public string CniConfiguration => Path.Combine(Root, "cni", "net.d");

    public string CniBinaries => Path.Combine(Root, "cni", "bin");

    /// <summary>What the node shows of its processes to containers that want to see them.</summary>
    public string Processes => Path.Combine(Root, "proc");

    /// <summary>The id of the node's first process.</summary>
    public string FirstProcess => Path.Combine(Root, "init.pid");

    /// <summary>Where the files of containers are put together.</summary>
    public string Containers => Path.Combine(Root, "containers");

    public string Logs => Path.Combine(Root, "logs");

    public string Kubeconfig => Path.Combine(Root, "kubeconfig");

    public string AgentLog => Path.Combine(Logs, "agent.log");

    public void Create()
    {
        foreach (var directory in (string[])[State, Run, CniConfiguration, CniBinaries, Path.Combine(Processes, "1"), Containers, Logs])
            Directory.CreateDirectory(directory);
    }
}
