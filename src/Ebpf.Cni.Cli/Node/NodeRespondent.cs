using System.Text.Json;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Node;

/// <summary>Answers by the agent of this node, over its socket.</summary>
internal sealed class NodeRespondent(string runDirectory, Terminal terminal) : IRespondent
{
    public Task<string> NamespaceAsync(CancellationToken cancel) => Task.FromResult("default");

    /// <exception cref="CliException">There is no answer.</exception>
    public async Task<int> AnswerAsync<T>(Inquiry<T> inquiry, bool json, CancellationToken cancel) where T : class
    {
        using var agent = new AgentConnection(runDirectory);
        var body = await agent.GetAsync(inquiry.Path, cancel).ConfigureAwait(false);
        T answer;
        try
        {
            answer = JsonSerializer.Deserialize(body, inquiry.Type) ?? throw new JsonException("null");
        }
        catch (JsonException)
        {
            throw CliException.Failed("the agent's answer cannot be read: is it another version? (-o json, curl --unix-socket)");
        }

        await terminal.Out.WriteAsync(json ? body : inquiry.Text(answer, terminal.Width)).ConfigureAwait(false);
        return inquiry.IsGood(answer) ? ExitCodes.Good : ExitCodes.Failed;
    }

    public Task<int> ProbeAsync(string target, TimeSpan timeout, bool json, CancellationToken cancel) =>
        Probe.RunAsync(target, timeout, json, terminal, TimeProvider.System, cancel);
}
