using System.CommandLine;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>help [COMMAND...]: the same as COMMAND --help.</summary>
internal sealed class HelpCommand : Command
{
    public HelpCommand(RootCommand root) : base("help", "help for a command")
    {
        var words = new Argument<string[]>("COMMAND") { Description = "the command", Arity = ArgumentArity.ZeroOrMore };
        Arguments.Add(words);
        SetAction(parsed => root.Parse([.. parsed.GetValue(words) ?? [], "--help"]).Invoke(parsed.InvocationConfiguration));
    }
}
