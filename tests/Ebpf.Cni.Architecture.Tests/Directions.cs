namespace Ebpf.Cni.Architecture.Tests;

/// <summary>Which project may reference which. A project of src that is not here fails the tests: decide its place first.</summary>
internal static class Directions
{
    /// <summary>Project → projects it may reference.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Allowed = new Dictionary<string, string[]>
    {
        ["Ebpf.Cni.Abi"] = [],
        ["Ebpf.Cni.Kernel"] = [],
        ["Ebpf.Cni.Protocol"] = [],
        ["Ebpf.Cni.Plugin"] = ["Ebpf.Cni.Protocol"],
        ["Ebpf.Cni.Cli"] = ["Ebpf.Cni.Protocol"],
        ["Ebpf.Cni.Compiler"] = ["Ebpf.Cni.Abi"],
        ["Ebpf.Cni.Dataplane"] = ["Ebpf.Cni.Abi", "Ebpf.Cni.Compiler", "Ebpf.Cni.Kernel"],
        ["Ebpf.Cni.Kubernetes"] = ["Ebpf.Cni.Compiler"],
        ["Ebpf.Cni.Pods"] = ["Ebpf.Cni.Abi", "Ebpf.Cni.Compiler", "Ebpf.Cni.Dataplane", "Ebpf.Cni.Kernel", "Ebpf.Cni.Protocol"],
        ["Ebpf.Cni.Sync"] =
        [
            "Ebpf.Cni.Abi", "Ebpf.Cni.Compiler", "Ebpf.Cni.Dataplane", "Ebpf.Cni.Kernel", "Ebpf.Cni.Kubernetes", "Ebpf.Cni.Pods",
        ],
        ["Ebpf.Cni.Agent"] =
        [
            "Ebpf.Cni.Abi", "Ebpf.Cni.Compiler", "Ebpf.Cni.Dataplane", "Ebpf.Cni.Kernel", "Ebpf.Cni.Kubernetes", "Ebpf.Cni.Pods",
            "Ebpf.Cni.Protocol", "Ebpf.Cni.Sync",
        ],
        // plays the cluster: it starts the shipped binaries and must not know what is in them
        ["Ebpf.Cni.Sandbox"] = ["Ebpf.Cni.Kernel"],
    };

    /// <summary>Projects that use the base class library alone.</summary>
    public static readonly IReadOnlySet<string> WithoutPackages =
        new HashSet<string> { "Ebpf.Cni.Abi", "Ebpf.Cni.Kernel", "Ebpf.Cni.Protocol", "Ebpf.Cni.Plugin", "Ebpf.Cni.Compiler" };

    /// <summary>Projects that use few packages, since they are small native programs: which ones.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> FewPackages = new Dictionary<string, string[]>
    {
        ["Ebpf.Cni.Cli"] = ["System.CommandLine"],
    };

    /// <summary>The only project that sees the Kubernetes client.</summary>
    public const string OwnerOfKubernetesClient = "Ebpf.Cni.Kubernetes";

    /// <summary>The only project with native calls and pointers.</summary>
    public const string OwnerOfNativeCode = "Ebpf.Cni.Kernel";

    /// <summary>Files longer than <see cref="LongestFile"/> lines, each with the reason why it is better whole.</summary>
    public static readonly IReadOnlyDictionary<string, string> LongFiles = new Dictionary<string, string>();

    /// <summary>Projects whose log lines share a block of event ids: they were one project when the lines got theirs.</summary>
    public static readonly IReadOnlySet<string> SharedEventIds = new HashSet<string> { "Ebpf.Cni.Agent", "Ebpf.Cni.Pods", "Ebpf.Cni.Sync" };

    public const int LongestFile = 400;

    /// <summary>What a project's compiled code may use: what it may reference, and what those may.</summary>
    public static HashSet<string> Reachable(string project)
    {
        var reached = new HashSet<string>();
        var open = new Stack<string>(Allowed[project]);
        while (open.TryPop(out var next))
            if (reached.Add(next))
                foreach (var further in Allowed[next])
                    open.Push(further);
        return reached;
    }
}
