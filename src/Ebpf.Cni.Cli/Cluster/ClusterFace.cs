using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Cluster;

/// <summary>kubectl ecni: asks the agents of a cluster, through its API server.</summary>
internal sealed class ClusterFace : IFace
{
    private const int AtOnceDefault = 8, AtOnceMost = 256;

    private const string NamespaceDefault = "kube-system", SelectorDefault = "app.kubernetes.io/name=ebpf-cni";

    private static readonly TimeSpan PatienceDefault = TimeSpan.FromSeconds(10);

    /// <summary>A shell that completes waits no longer for the API server.</summary>
    private static readonly TimeSpan CompletionPatience = TimeSpan.FromSeconds(3);

    private readonly Func<string, string?> _variable;
    private readonly Terminal _terminal;
    private readonly ConnectionOptions _connection = new();

    private readonly Option<string[]> _nodes = new("--node")
    {
        Description = "asks this node alone; may be repeated", HelpName = "NAME", Recursive = true,
    };

    private readonly Option<TimeSpan?> _patience = new("--node-timeout")
    {
        Description = "for the answer of one node, in seconds (10)", HelpName = "SECONDS", Recursive = true,
        CustomParser = Seconds.Of,
    };

    private readonly Option<int?> _atOnce = new("--parallel")
    {
        Description = "nodes that are asked at the same time (8)", HelpName = "N", Recursive = true,
        CustomParser = AtOnceOf,
    };

    private readonly Option<string> _namespace = new("--agent-namespace")
    {
        Description = $"the namespace of the agents' pods ({NamespaceDefault})", HelpName = "NAMESPACE", Recursive = true,
    };

    private readonly Option<string> _selector = new("--agent-selector")
    {
        Description = $"the label of the agents' pods ({SelectorDefault})", HelpName = "LABEL=VALUE", Recursive = true,
    };

    public ClusterFace(Func<string, string?> variable, Terminal terminal)
    {
        (_variable, _terminal) = (variable, terminal);
        _nodes.CompletionSources.Add(context => NodeNames(context.ParseResult));
        Options = [_nodes, _patience, _atOnce, _namespace, _selector, .. _connection.All];
    }

    public string Name => "kubectl ecni";

    public string Description => "What the ebpf-cni agents of all nodes know, and what the kernels' tables hold.";

    public string FailureMeans => "failed, a node is not ready or could not be asked, or nothing was found";

    public IReadOnlyList<Option> Options { get; }

    public IRespondent Respondent(ParseResult parsed)
    {
        var kubectl = Kubectl(parsed);
        var pace = new NodePace(
            parsed.GetValue(_atOnce) ?? AtOnceDefault, parsed.GetValue(_patience) ?? PatienceDefault, TimeProvider.System);
        return new ClusterRespondent(kubectl, Agents(kubectl, parsed), parsed.GetValue(_nodes) ?? [], pace, _terminal);
    }

    private KubectlProcess Kubectl(ParseResult parsed) =>
        new(KubectlProcess.Find(_variable), _connection.Given(parsed), _terminal.Error);

    private AgentPods Agents(IKubectl kubectl, ParseResult parsed) =>
        new(kubectl, parsed.GetValue(_namespace) ?? NamespaceDefault, parsed.GetValue(_selector) ?? SelectorDefault);

    /// <summary>For completion: none if they cannot be found.</summary>
    private IEnumerable<string> NodeNames(ParseResult parsed)
    {
        using var limit = new CancellationTokenSource(CompletionPatience);
        try
        {
            var pods = Agents(Kubectl(parsed), parsed).FindAsync(interactive: false, limit.Token).GetAwaiter().GetResult();
            return [.. pods.Select(p => p.Node)];
        }
        catch (Exception e) when (e is CliException or OperationCanceledException)
        {
            return [];
        }
    }

    private static int? AtOnceOf(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is > 0 and <= AtOnceMost)
            return number;
        result.AddError($"--parallel: '{text}' is not a number from 1 to {AtOnceMost}");
        return null;
    }
}
