using System.CommandLine;
using System.CommandLine.Completions;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>
/// Completions as kubectl reads them of kubectl_complete-NAME, and as the scripts for bash and zsh do: a line for each word, with a TAB
/// and its description if there is one, then :4, which asks the shell not to offer files.
/// </summary>
internal static class CompletionProtocol
{
    /// <summary>Hidden: the words that follow are completed, the last of them from its beginning.</summary>
    public const string Command = "__complete";

    private const string NoFiles = ":4";

    public static string Of(RootCommand root, IReadOnlyList<string> words)
    {
        var line = string.Join(' ', words.Select(w => w.Contains(' ', StringComparison.Ordinal) ? $"\"{w}\"" : w));
        var begun = words.Count == 0 ? "" : words[^1];
        var lines = root.Parse(line).GetCompletions(line.Length)
            .Where(c => c.Label.StartsWith(begun, StringComparison.Ordinal)).DistinctBy(c => c.Label).Select(Line);
        return string.Concat(lines.Append(NoFiles).Select(l => l + "\n"));
    }

    private static string Line(CompletionItem item) => item.Detail is { Length: > 0 } detail ? $"{item.Label}\t{detail}" : item.Label;
}
