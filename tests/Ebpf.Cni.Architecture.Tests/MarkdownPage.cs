using System.Text.RegularExpressions;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>A page of the repository.</summary>
/// <param name="Path">Relative to the root, with '/'.</param>
/// <param name="Text">All of it.</param>
internal sealed partial record MarkdownPage(string Path, string Text)
{
    private static readonly string[] Skipped = ["/bin/", "/obj/", "/build/", "/artifacts/", "/node_modules/", "/.git/"];

    public static IReadOnlyList<MarkdownPage> All { get; } =
    [
        .. Directory.EnumerateFiles(Repository.Root, "*.md", SearchOption.AllDirectories)
            .Where(f => !Skipped.Any(s => f.AsSpan(Repository.Root.Length).Contains(s, StringComparison.Ordinal)))
            .Select(f => new MarkdownPage(System.IO.Path.GetRelativePath(Repository.Root, f), File.ReadAllText(f)))
            .OrderBy(p => p.Path, StringComparer.Ordinal),
    ];

    /// <summary>Lines outside of fenced and indented code, with their numbers from 1.</summary>
    public IEnumerable<(int Number, string Line)> Prose
    {
        get
        {
            var (fenced, code, number, blank) = (false, false, 0, true);
            foreach (var line in Text.Split('\n'))
            {
                number++;
                if (line.StartsWith("```", StringComparison.Ordinal))
                    fenced = !fenced;
                else if (!fenced)
                {
                    var indented = line.StartsWith("    ", StringComparison.Ordinal);
                    code = indented && (code || blank);
                    blank = line.Length == 0 || (blank && code);
                    if (!code)
                        yield return (number, line);
                }
            }
        }
    }

    /// <summary>Targets of links and images that are no addresses on the web: file, "" for this page, and heading, "" for none.</summary>
    public IEnumerable<(string File, string Anchor)> RelativeLinks => Prose
        .SelectMany(l => LinkPattern().Matches(CodePattern().Replace(l.Line, "")))
        .Select(m => m.Groups[1].Value).Where(target =>
            !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith("mailto:", StringComparison.Ordinal))
        .Select(target => target.Split('#', 2) is [var file, var anchor] ? (file, anchor) : (target, ""));

    /// <summary>
    /// Anchors of the headings as GitHub makes them: lower case, punctuation gone, spaces to dashes, a number where it is not the first.
    /// </summary>
    public IReadOnlySet<string> Anchors
    {
        get
        {
            var anchors = new HashSet<string>(StringComparer.Ordinal);
            foreach (var heading in Prose.Select(l => HeadingPattern().Match(l.Line)).Where(m => m.Success))
            {
                var text = MarkupPattern().Replace(heading.Groups[1].Value, "$1").Trim().ToLowerInvariant();
                var anchor = PunctuationPattern().Replace(text, "").Replace(' ', '-');
                var unique = anchor;
                for (var i = 1; !anchors.Add(unique); i++)
                    unique = $"{anchor}-{i}";
            }
            return anchors;
        }
    }

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex LinkPattern();

    [GeneratedRegex("`[^`]*`")]
    private static partial Regex CodePattern();

    [GeneratedRegex("^#{1,6} (.+)$")]
    private static partial Regex HeadingPattern();

    [GeneratedRegex(@"\[([^\]]*)\]\([^)]*\)")]
    private static partial Regex MarkupPattern();

    [GeneratedRegex(@"[^\p{L}\p{N} _-]")]
    private static partial Regex PunctuationPattern();
}
