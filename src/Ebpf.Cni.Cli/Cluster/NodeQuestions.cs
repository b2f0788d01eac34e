using System.Text.Json;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>Runs one command line of ecni in many agents' pods: some at once, each for a limited time.</summary>
internal sealed class NodeQuestions(IKubectl kubectl, NodePace pace)
{
    private const string Program = "ecni";

    /// <summary>kubectl's last line where the command failed.</summary>
    private const string Terminated = "command terminated with exit code";

    /// <returns>A reply for each pod, in their order.</returns>
    public async Task<IReadOnlyList<NodeReply>> AskAsync(
        IReadOnlyList<AgentPod> pods, IReadOnlyList<string> words, CancellationToken cancel)
    {
        var replies = new NodeReply[pods.Count];
        var bounds = new ParallelOptions { MaxDegreeOfParallelism = pace.AtOnce, CancellationToken = cancel };
        await Parallel.ForAsync(0, pods.Count, bounds, async (i, ct) =>
        {
            replies[i] = pods[i].Problem is { } problem ? new NodeReply(pods[i], null, problem)
                : await AskAsync(pods[i], words, ct).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return replies;
    }

    private async Task<NodeReply> AskAsync(AgentPod pod, IReadOnlyList<string> words, CancellationToken cancel)
    {
        using var patienceEnds = new CancellationTokenSource(pace.Patience, pace.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, patienceEnds.Token);
        try
        {
            string[] place = ["--namespace", pod.Namespace, pod.Name, "--container", AgentPod.Container];
            var outcome = await kubectl.RunAsync(
                ["exec", .. place, "--", Program, .. words, "--output", "json"], interactive: false, either.Token).ConfigureAwait(false);
            // An agent that is not ready answers all the same, and ecni ends with 1.
            return IsJson(outcome.Output) ? new NodeReply(pod, outcome.Output, null) : new NodeReply(pod, null, ErrorIn(outcome));
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new NodeReply(pod, null, $"no answer within {pace.Patience.TotalSeconds:0.###} s (--node-timeout)");
        }
    }

    private static bool IsJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static string ErrorIn(KubectlOutcome outcome)
    {
        var lines = outcome.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(l => !l.StartsWith(Terminated, StringComparison.Ordinal))
            .Select(l => Without(Without(l, $"{Program}: "), "error: ")).ToList();
        return lines.Count > 0 ? string.Join(' ', lines)
            : outcome.ExitCode == ExitCodes.Good ? "its answer cannot be read"
            : $"kubectl exec ended with exit code {outcome.ExitCode} without a message";
    }

    private static string Without(string line, string prefix) =>
        line.StartsWith(prefix, StringComparison.Ordinal) ? line[prefix.Length..] : line;
}
