using System.Text.RegularExpressions;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>Tables and drop reasons: the pages and the sources have the same.</summary>
public sealed partial class NamesInPagesTests
{
    private static IReadOnlySet<string> Tables => Names(TablePattern(), Source("src/Ebpf.Cni.Abi/MapNames.cs"));

    /// <summary>Members of the enum from the first drop on, as metrics and logs spell them.</summary>
    private static IEnumerable<string> DropReasons =>
        MemberPattern().Matches(ReasonPattern().Match(Source("src/Ebpf.Cni.Abi/EventsAbi.cs")).Value)
        .Select(m => m.Groups[1].Value).SkipWhile(name => name != "SourceAddress")
            .Select(name => CapitalPattern().Replace(name, "_$1").ToLowerInvariant());

    [Fact]
    public void Tables_that_pages_name_exist() => Assert.Empty(
        MarkdownPage.All.Where(p => p.Path != "CHANGELOG.md")
            .SelectMany(p => Names(TablePattern(), p.Text).Except(Tables).Select(t => $"{p.Path}: {t}")));

    [Fact]
    public void Every_table_is_explained() =>
        Assert.Empty(Tables.Except(Names(TablePattern(), Section("docs/architecture.md", "## Tables"))));

    [Fact]
    public void Every_drop_reason_is_explained()
    {
        Assert.True(DropReasons.Count() > 20);
        Assert.Empty(DropReasons.Except(Names(CodePattern(), Section("docs/troubleshooting.md", "## Reasons of drops"))));
    }

    private static string Source(string path) => SourceFile.All.Single(f => f.Path == path).Text;

    private static string Section(string page, string heading)
    {
        var text = MarkdownPage.All.Single(p => p.Path == page).Text;
        var from = text.IndexOf($"\n{heading}\n", StringComparison.Ordinal);
        Assert.True(from >= 0, $"{page} has no {heading}");
        var to = text.IndexOf("\n## ", from + heading.Length, StringComparison.Ordinal);
        return to < 0 ? text[from..] : text[from..to];
    }

    private static HashSet<string> Names(Regex pattern, string text) => [.. pattern.Matches(text).Select(m => m.Value.Trim('`'))];

    [GeneratedRegex(@"\bebc_[a-z_]+_v\d+\b")]
    private static partial Regex TablePattern();

    [GeneratedRegex("`[a-z_]+`")]
    private static partial Regex CodePattern();

    [GeneratedRegex(@"enum Reason\b[^}]*\}")]
    private static partial Regex ReasonPattern();

    [GeneratedRegex(@"(?m)^\s+([A-Z]\w+) = \d+,")]
    private static partial Regex MemberPattern();

    [GeneratedRegex("(?<!^)([A-Z])")]
    private static partial Regex CapitalPattern();
}
