using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>The library's help, and the exit codes.</summary>
internal sealed class HelpScreen(IFace face, Terminal terminal) : SynchronousCommandLineAction
{
    private readonly HelpAction _help = new() { MaxWidth = terminal.Width };

    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        _help.Invoke(parseResult);
        parseResult.InvocationConfiguration.Output.WriteLine(
            $"exit codes: {ExitCodes.Good} good; {ExitCodes.Failed} {face.FailureMeans}; {ExitCodes.Usage} the command line is wrong");
        return ExitCodes.Good;
    }
}
