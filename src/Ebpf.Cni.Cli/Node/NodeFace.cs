using System.CommandLine;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Node;

/// <summary>ecni: asks the agent of the node that it runs on.</summary>
internal sealed class NodeFace : IFace
{
    private const string Variable = "EBPF_CNI_RUN_DIR";

    private readonly Func<string, string?> _variable;
    private readonly Terminal _terminal;

    private readonly Option<string> _runDirectory = new("--run-dir")
    {
        Description = $"the agent's --run-dir, where its socket is (${Variable}; {ObservePaths.DefaultRunDirectory})", HelpName = "DIR",
        Recursive = true,
    };

    public NodeFace(Func<string, string?> variable, Terminal terminal)
    {
        (_variable, _terminal) = (variable, terminal);
        _runDirectory.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value.Length: 0 }])
                result.AddError("--run-dir: a value is missing");
        });
        Options = [_runDirectory];
    }

    public string Name => "ecni";

    public string Description => "What the ebpf-cni agent of this node knows, and what the kernel's tables hold.";

    public string FailureMeans => "failed, not ready or not found";

    public IReadOnlyList<Option> Options { get; }

    public IRespondent Respondent(ParseResult parsed)
    {
        var fallback = _variable(Variable) is { Length: > 0 } directory ? directory : ObservePaths.DefaultRunDirectory;
        return new NodeRespondent(parsed.GetValue(_runDirectory) ?? fallback, _terminal);
    }
}
