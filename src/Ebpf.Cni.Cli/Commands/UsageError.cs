using System.CommandLine;
using System.CommandLine.Invocation;
using System.CommandLine.Parsing;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>A wrong command line in one sentence, with what may have been meant.</summary>
internal static class UsageError
{
    /// <returns>Null: nothing is wrong.</returns>
    public static CliException? In(ParseResult parsed, CommandTree tree)
    {
        var message = parsed.Errors.Count > 0 ? Sentence(parsed, tree)
            : tree.Misplaced(parsed) is { } option ? Misplaced(option, parsed) : null;
        return message is null ? null : CliException.Usage(message + Suggestions(parsed));
    }

    private static string Sentence(ParseResult parsed, CommandTree tree)
    {
        var (command, path) = (parsed.CommandResult.Command, PathOf(parsed.CommandResult));
        if (parsed.UnmatchedTokens is [var word, ..])
        {
            var name = word.Split('=')[0];
            if (word.StartsWith('-'))
                return tree.IsOption(name) ? Misplaced(name, parsed) : $"{name}: no such option";
            return command.Subcommands.Count > 0 ? $"{Joined(path, word)}: no such command" : $"{word}: one word too many";
        }

        if (parsed.Errors.Select(e => e.SymbolResult).OfType<OptionResult>().FirstOrDefault(LacksValue) is { } option)
            return $"{option.IdentifierToken?.Value ?? option.Option.Name}: a value is missing";
        if (command.Arguments.FirstOrDefault(a => a.Arity.MinimumNumberOfValues > 0 && parsed.GetResult(a)?.Tokens is not [_, ..])
            is { } argument)
            return $"{path}: {argument.Name} is missing";
        if (command.Action is null)
        {
            var members = string.Join(" or ", command.Subcommands.Select(c => c.Name));
            return path.Length == 0 ? "a command is missing" : $"{path}: {members} is missing";
        }

        return parsed.Errors[0].Message;
    }

    private static bool LacksValue(OptionResult option) => option.Tokens.Count < option.Option.Arity.MinimumNumberOfValues;

    private static string Misplaced(string option, ParseResult parsed) => $"{option} is not an option of {PathOf(parsed.CommandResult)}";

    /// <summary>Without the program's own name.</summary>
    private static string PathOf(CommandResult command) =>
        command.Parent is CommandResult parent ? Joined(PathOf(parent), command.Command.Name) : "";

    private static string Joined(string path, string word) => path.Length == 0 ? word : $"{path} {word}";

    /// <summary>The library's, which it writes to the output, beside its own wording of errors.</summary>
    private static string Suggestions(ParseResult parsed)
    {
        if (parsed.Action is not ParseErrorAction action || parsed.UnmatchedTokens is not [{ Length: > 0 }, ..])
            return "";
        action.ShowHelp = false;
        using var output = new StringWriter();
        parsed.Invoke(new InvocationConfiguration { Output = output, Error = TextWriter.Null });
        // A heading and words for each token: those of the first one, which the sentence is about.
        var lines = output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Concat(lines.TakeWhile((line, i) => i == 0 || !line.StartsWith('\'')).Select(line => "\n" + line));
    }
}
