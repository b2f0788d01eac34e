using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>A node of a sandbox of this process.</summary>
public sealed class SandboxNode
{
    private static readonly TimeSpan ReadyPatience = TimeSpan.FromSeconds(30);
    private readonly SandboxPaths _paths;

    internal SandboxNode(SandboxPaths paths, NodeAddressPlan addresses, NetworkNamespace network, SandboxOptions options)
    {
        _paths = paths;
        Addresses = addresses;
        Namespace = network;
        Mounts = NodeMounts.Create(paths, addresses.Node, network);
        Agent = new AgentProcess(this, Mounts, options);
    }

    public string Name => Addresses.Node;

    public NodeAddressPlan Addresses { get; }

    public NetworkNamespace Namespace { get; }

    public string NamespacePath => _paths.NodeNamespace(Name);

    /// <summary>What the node's processes see of files.</summary>
    public NodeMounts Mounts { get; }

    /// <summary>Where the agent pins, as this machine sees it: the node has it at <see cref="PinsOnNode"/>.</summary>
    public string BpffsRoot => Path.Combine(_paths.NodeBpffs(Name), Path.GetFileName(PinsOnNode));

    /// <summary>The agent's default.</summary>
    public const string PinsOnNode = "/sys/fs/bpf/ebpf-cni";

    /// <summary>Above everything that runs on the node: its agent, its pods, what is executed in them.</summary>
    public string CgroupPath => _paths.NodeCgroup(Name);

    public NodeDirectories Directories => _paths.NodeDirectories(Name);

    /// <summary>The agent's log file.</summary>
    public string AgentLog => Directories.AgentLog;

    /// <summary>Null while no agent runs.</summary>
    public int? AgentPid => Agent.Id;

    internal AgentProcess Agent { get; }

    /// <summary>SIGKILL, and waits until it is gone.</summary>
    public Task KillAgentAsync() => Agent.KillAsync();

    /// <inheritdoc cref="AgentProcess.StopAsync"/>
    public Task<int?> StopAgentAsync() => Agent.StopAsync();

    /// <summary>Starts the agent, the first time after its pod's init containers; does not wait for it to be ready.</summary>
    public Task StartAgentAsync() => Agent.StartAsync();

    /// <exception cref="InvalidOperationException">The agent ended, or was not ready within 30 s; carries the end of its log.</exception>
    public async Task WaitAgentReadyAsync(CancellationToken ct = default)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        over.CancelAfter(ReadyPatience);
        try
        {
            await Agent.WaitReadyAsync(over.Token);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new InvalidOperationException(
                $"the agent of {Name} was not ready within {ReadyPatience.TotalSeconds:0} s:\n{Agent.LogTail()}");
        }
    }

    /// <summary>The agent's metrics, in Prometheus' text format.</summary>
    public Task<string> MetricsAsync(CancellationToken ct = default) => Agent.MetricsAsync(ct);
}
