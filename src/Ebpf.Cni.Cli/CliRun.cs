using System.CommandLine;
using Ebpf.Cni.Cli.Cluster;
using Ebpf.Cni.Cli.Commands;
using Ebpf.Cni.Cli.Inquiries;
using Ebpf.Cni.Cli.Node;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli;

/// <summary>One run, as the executable does it.</summary>
public static class CliRun
{
    /// <summary>The name by which kubectl finds a plugin, and that by which it asks one for completions.</summary>
    public const string PluginName = "kubectl-ecni", PluginCompletionName = "kubectl_complete-ecni";

    // Without @file: a word that begins with @ is a word.
    private static readonly ParserConfiguration Parsing = new() { ResponseFileTokenReplacer = null };

    /// <param name="invokedAs">The path by which the program was started: its name decides what it is.</param>
    /// <param name="arguments">The command line's other words.</param>
    /// <param name="variable">The environment.</param>
    /// <param name="terminal">Where it writes.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> ExecuteAsync(
        string invokedAs, IReadOnlyList<string> arguments, Func<string, string?> variable, Terminal terminal)
    {
        ArgumentNullException.ThrowIfNull(arguments);
        ArgumentNullException.ThrowIfNull(terminal);
        var name = Path.GetFileName(invokedAs);
        IFace face = name is PluginName or PluginCompletionName
            ? new ClusterFace(variable, terminal) : new NodeFace(variable, terminal);
        var tree = new CommandTree(face, face is NodeFace ? [new CompletionCommand()] : [], terminal);
        try
        {
            if (name == PluginCompletionName)
                return await CompleteAsync(tree, arguments, terminal).ConfigureAwait(false);
            return arguments is [CompletionProtocol.Command, ..]
                ? await CompleteAsync(tree, [.. arguments.Skip(1)], terminal).ConfigureAwait(false)
                : await RunAsync(tree, arguments, terminal).ConfigureAwait(false);
        }
        catch (CliException e)
        {
            await terminal.Error.WriteLineAsync($"{face.Name}: {e.Message}").ConfigureAwait(false);
            if (e.ExitCode == ExitCodes.Usage)
                await terminal.Error.WriteLineAsync($"{face.Name} help lists commands and options").ConfigureAwait(false);
            return e.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await terminal.Error.WriteLineAsync($"{face.Name}: interrupted").ConfigureAwait(false);
            return ExitCodes.Interrupted;
        }
    }

    private static async Task<int> RunAsync(CommandTree tree, IReadOnlyList<string> arguments, Terminal terminal)
    {
        var parsed = tree.Root.Parse(arguments, Parsing);
        return UsageError.In(parsed, tree) is { } wrong ? throw wrong
            : await parsed.InvokeAsync(new InvocationConfiguration
            {
                Output = terminal.Out, Error = terminal.Error, EnableDefaultExceptionHandler = false,
            }).ConfigureAwait(false);
    }

    private static async Task<int> CompleteAsync(CommandTree tree, IReadOnlyList<string> words, Terminal terminal)
    {
        await terminal.Out.WriteAsync(CompletionProtocol.Of(tree.Root, words)).ConfigureAwait(false);
        return ExitCodes.Good;
    }
}
