using System.CommandLine;
using System.CommandLine.Invocation;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>Prints the release, whatever else is on the command line.</summary>
internal sealed class VersionAction : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.WriteLine(CliVersion.Text);
        return ExitCodes.Good;
    }
}
