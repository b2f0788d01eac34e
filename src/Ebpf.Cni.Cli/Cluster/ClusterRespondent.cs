using System.Text;
using System.Text.Json;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Merged;
using Ebpf.Cni.Cli.Reporting;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>Answers by the agents of many nodes; what could not be asked is named, and fails the run.</summary>
/// <param name="kubectl">The way to the cluster.</param>
/// <param name="agents">Their pods.</param>
/// <param name="only">Names of the nodes to ask; empty: all.</param>
/// <param name="pace">How they are asked.</param>
/// <param name="terminal">Where answers are printed.</param>
internal sealed class ClusterRespondent(
    IKubectl kubectl, AgentPods agents, IReadOnlyList<string> only, NodePace pace, Terminal terminal) : IRespondent
{
    public async Task<string> NamespaceAsync(CancellationToken cancel)
    {
        string[] arguments = ["config", "view", "--minify", "--output", "jsonpath={..namespace}"];
        var outcome = await kubectl.RunAsync(arguments, interactive: false, cancel).ConfigureAwait(false);
        return outcome.ExitCode == 0 && outcome.Output.Trim() is { Length: > 0 } name ? name : "default";
    }

    public Task<int> ProbeAsync(string target, TimeSpan timeout, bool json, CancellationToken cancel) =>
        AnswerAsync(AgentInquiries.Probe(target, timeout), json, pace.Patience + timeout, cancel);

    public Task<int> AnswerAsync<T>(Inquiry<T> inquiry, bool json, CancellationToken cancel) where T : class =>
        AnswerAsync(inquiry, json, pace.Patience, cancel);

    private async Task<int> AnswerAsync<T>(Inquiry<T> inquiry, bool json, TimeSpan patience, CancellationToken cancel) where T : class
    {
        var pods = Chosen(await agents.FindAsync(interactive: true, cancel).ConfigureAwait(false));
        var questions = new NodeQuestions(kubectl, pace with { Patience = patience });
        var replies = await questions.AskAsync(pods, inquiry.Words, cancel).ConfigureAwait(false);
        var answers = new List<NodeAnswer<T>>();
        var failed = new List<NodeReply>();
        foreach (var reply in replies)
        {
            if (reply.Body is { } body && Read(body, inquiry) is { } answer)
                answers.Add(new NodeAnswer<T>(reply.Pod.Node, answer));
            else if (reply.Body is null && LastLine(reply.Error) == inquiry.Unknown)
                answers.Add(new NodeAnswer<T>(reply.Pod.Node, null));
            else
                failed.Add(reply with { Error = reply.Error ?? "its answer cannot be read: is its agent of another release? (-o json)" });
        }

        var unknown = failed.Count == 0 && answers.All(a => a.Answer is null);
        if (json || !unknown)
        {
            var text = json ? ClusterJson.Of(replies, inquiry.Differences?.Invoke(answers)) : Text(inquiry, answers, failed);
            await terminal.Out.WriteAsync(text).ConfigureAwait(false);
        }

        return unknown ? throw CliException.Failed(inquiry.Unknown!)
            : failed.Count == 0 && answers.All(a => a.Answer is null || inquiry.IsGood(a.Answer)) ? ExitCodes.Good : ExitCodes.Failed;
    }

    /// <summary>kubectl and credential plugins may warn before the agent's own words.</summary>
    private static string? LastLine(string? error) => error?.TrimEnd().Split('\n')[^1].TrimEnd();

    /// <summary>One node that was asked for by its name answers as ecni does there.</summary>
    private string Text<T>(Inquiry<T> inquiry, List<NodeAnswer<T>> answers, List<NodeReply> failed) where T : class
    {
        var text = new StringBuilder();
        if (answers.Any(a => a.Answer is not null))
            text.Append(only.Count == 1 ? inquiry.Text(answers[0].Answer!, terminal.Width) : inquiry.Merged(answers, terminal.Width));
        else if (answers.Count > 0)
            text.Append(inquiry.Unknown).Append('\n');
        if (failed.Count > 0)
            text.Append(text.Length > 0 ? "\n" : "").Append("Not asked:\n");
        foreach (var reply in failed)
            text.Append(Words.Wrap("  ", $"{reply.Pod.Node}: {reply.Error}", terminal.Width));
        return text.ToString();
    }

    private IReadOnlyList<AgentPod> Chosen(IReadOnlyList<AgentPod> pods)
    {
        var absent = only.Where(name => pods.All(p => p.Node != name)).ToList();
        return absent.Count > 0 ? throw CliException.Failed($"there is no agent's pod on {string.Join(", ", absent)}")
            : only.Count == 0 ? pods : [.. pods.Where(p => only.Contains(p.Node))];
    }

    private static T? Read<T>(string body, Inquiry<T> inquiry) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, inquiry.Type);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
