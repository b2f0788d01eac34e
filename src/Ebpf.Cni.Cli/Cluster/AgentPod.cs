namespace Ebpf.Cni.Cli.Cluster;

/// <summary>The agent's pod of a node.</summary>
/// <param name="Node">The node's name.</param>
/// <param name="Namespace">The pod's.</param>
/// <param name="Name">The pod's.</param>
/// <param name="Problem">Why no command can be run in it; null if one can.</param>
internal sealed record AgentPod(string Node, string Namespace, string Name, string? Problem)
{
    /// <summary>The container of the agent in the chart's DaemonSet.</summary>
    public const string Container = "agent";
}
