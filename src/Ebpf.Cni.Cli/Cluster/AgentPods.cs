using System.Text.Json;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>Finds the agents' pods: those of one label in one namespace.</summary>
internal sealed class AgentPods(IKubectl kubectl, string @namespace, string selector)
{
    /// <summary>One for each node that has one, by the nodes' names.</summary>
    /// <param name="interactive">kubectl may ask for a login, and says by itself why it fails.</param>
    /// <param name="cancel">Ends it.</param>
    /// <exception cref="CliException">There are none, or kubectl failed.</exception>
    public async Task<IReadOnlyList<AgentPod>> FindAsync(bool interactive, CancellationToken cancel)
    {
        string[] arguments = ["get", "pods", "--namespace", @namespace, "--selector", selector, "--output", "json"];
        var outcome = await kubectl.RunAsync(arguments, interactive, cancel).ConfigureAwait(false);
        if (outcome.ExitCode != 0)
            throw CliException.Failed($"the agents' pods cannot be listed: kubectl get pods ended with exit code {outcome.ExitCode}");
        var pods = Read(outcome.Output);
        return pods.Count > 0 ? pods
            : throw CliException.Failed(
                $"the namespace {@namespace} has no pods with the label {selector} (--agent-namespace, --agent-selector)");
    }

    private static IReadOnlyList<AgentPod> Read(string json)
    {
        try
        {
            var list = JsonSerializer.Deserialize(json, PodListJson.Default.PodList) ?? throw new JsonException("null");
            var nodes = (list.Items ?? []).Where(p => p.Node is not null).GroupBy(p => p.Node!);
            return [.. nodes.Select(Best).OrderBy(p => p.Node, StringComparer.Ordinal)];
        }
        catch (JsonException e)
        {
            throw CliException.Failed($"what kubectl get pods printed cannot be read: {e.Message}");
        }
    }

    /// <summary>During an update a node may have two: the one that runs, and the newest of these.</summary>
    private static AgentPod Best(IGrouping<string, PodList.Pod> pods)
    {
        var best = pods.OrderBy(p => ProblemOf(p) is null ? 0 : 1).ThenBy(p => p.Metadata?.DeletionTimestamp is null ? 0 : 1)
            .ThenByDescending(p => p.Metadata?.CreationTimestamp).First();
        return new AgentPod(pods.Key, best.Metadata?.Namespace ?? "", best.Metadata?.Name ?? "", ProblemOf(best));
    }

    private static string? ProblemOf(PodList.Pod pod)
    {
        var name = $"its pod {pod.Metadata?.Namespace}/{pod.Metadata?.Name}";
        var state = pod.Container(AgentPod.Container)?.State;
        return state?.Running is not null ? null
            : state?.Waiting is { } waiting ? $"{name} waits: {waiting.Reason ?? "unknown"}"
            : state?.Terminated is { } ended ? $"{name} has ended: {ended.Reason ?? "unknown"}"
            : pod.Status?.Phase == "Running" && pod.Status.ContainerStatuses is null or { Count: 0 } ? null
            : state is null && pod.Status?.ContainerStatuses is { Count: > 0 }
            ? $"{name} has no container {AgentPod.Container} (it cleans up)"
            : $"{name} is {pod.Status?.Reason ?? pod.Status?.Phase ?? "Unknown"}";
    }
}
