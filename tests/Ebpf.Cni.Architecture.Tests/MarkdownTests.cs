using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>Pages lead somewhere and are wrapped.</summary>
public sealed class MarkdownTests
{
    private const int Columns = 120;

    [Fact]
    public void Relative_links_lead_to_files_and_headings() => Assert.Empty(MarkdownPage.All.SelectMany(Broken));

    [Fact]
    public void Prose_is_wrapped() => Assert.Empty(MarkdownPage.All.SelectMany(TooWide));

    [Fact]
    public void Every_page_of_docs_is_reached_from_the_README()
    {
        var pages = MarkdownPage.All.ToDictionary(p => p.Path, StringComparer.Ordinal);
        var linked = pages["README.md"].RelativeLinks.Select(l => l.File).ToHashSet(StringComparer.Ordinal);
        Assert.Equal([], pages.Keys.Where(p => p.StartsWith("docs/", StringComparison.Ordinal)).Except(linked));
    }

    [Fact]
    public void What_is_wrong_is_found()
    {
        Assert.Equal(
            ["docs/x.md: none.md", "docs/x.md: #two", "docs/x.md: ../README.md#no-such-heading"],
            Broken(Page("# One\n[a](none.md) [b](#two) [c](../README.md#no-such-heading) [d](#one) [e](https://example.org/x) "
                + "`[f](g.md)`\n\n    [h](i.md)\n")));
        Assert.Equal(["docs/x.md:1: 121 columns"],
            TooWide(Page($"{new string('x', 60)} {new string('x', 60)}\n| {new string('y', 130)} |\n\n    {new string('z', 130)}\n")));
        Assert.Equal(["a-b-c_d", "1-pod--service", "a-b-c_d-1"],
            Page("# A `b` c_d!\n## 1. Pod → Service\n```\n# code\n```\n### A b c_d\n").Anchors);
        Assert.True(MarkdownPage.All.Count > 10);
    }

    private static IEnumerable<string> Broken(MarkdownPage page)
    {
        foreach (var (file, anchor) in page.RelativeLinks)
        {
            var path = file.Length == 0 ? page.Path : Path.GetRelativePath(
                Repository.Root, Path.Combine(Repository.Root, Path.GetDirectoryName(page.Path)!, file));
            var target = anchor.Length == 0 ? file : $"{file}#{anchor}";
            if (file.Length > 0 && !Path.Exists(Path.Combine(Repository.Root, path)))
                yield return $"{page.Path}: {target}";
            else if (anchor.Length > 0 && !(file.Length == 0 ? page : MarkdownPage.All.Single(p => p.Path == path)).Anchors.Contains(
                anchor))
                yield return $"{page.Path}: {target}";
        }
    }

    /// <summary>Rows of tables cannot be wrapped, nor can a line of one word.</summary>
    private static IEnumerable<string> TooWide(MarkdownPage page) => page.Prose
        .Where(l => l.Line.Length > Columns && !l.Line.StartsWith('|')
            && l.Line.TrimStart(' ', '-').Contains(' ', StringComparison.Ordinal))
        .Select(l => $"{page.Path}:{l.Number}: {l.Line.Length} columns");

    private static MarkdownPage Page(string text) => new("docs/x.md", text);
}
