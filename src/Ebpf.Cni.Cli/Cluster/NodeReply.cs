namespace Ebpf.Cni.Cli.Cluster;

/// <summary>What became of the question to one node.</summary>
/// <param name="Pod">The agent's pod.</param>
/// <param name="Body">The agent's answer as JSON; null without one.</param>
/// <param name="Error">Why there is none.</param>
internal sealed record NodeReply(AgentPod Pod, string? Body, string? Error);
