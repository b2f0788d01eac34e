using System.Text;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Architecture.Tests;

/// <summary>A file of the repository that people write.</summary>
/// <param name="Path">Relative to the root, with '/'.</param>
/// <param name="Text">All of it.</param>
internal sealed record SourceFile(string Path, string Text)
{
    private static readonly string[] Folders = ["src", "tests", "bpf"];
    private static readonly string[] Kinds = [".cs", ".c", ".h"];
    private static readonly string[] Generated = ["/bin/", "/obj/"];

    public static IReadOnlyList<SourceFile> All { get; } = Read();

    /// <summary>The second part of "src/Project/…".</summary>
    public string Project => Path.Split('/') is { Length: > 2 } parts ? parts[1] : "";

    public bool IsIn(string folder) => Path.StartsWith(folder + "/", StringComparison.Ordinal);

    public bool IsCSharp => Path.EndsWith(".cs", StringComparison.Ordinal);

    public int Lines => Text.AsSpan().Count('\n');

    /// <summary>The text without comments and without the contents of strings and characters; line breaks stay.</summary>
    public string Code => _code ??= Strip(Text);

    private string? _code;

    private static List<SourceFile> Read() => Folders
        .Select(f => System.IO.Path.Combine(Repository.Root, f))
        .SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories))
        .Where(f => Kinds.Contains(System.IO.Path.GetExtension(f)) && !Generated.Any(g => f.Contains(g, StringComparison.Ordinal)))
        .Select(f => new SourceFile(System.IO.Path.GetRelativePath(Repository.Root, f), File.ReadAllText(f)))
        .OrderBy(f => f.Path, StringComparer.Ordinal).ToList();

    private static string Strip(string text)
    {
        var code = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length;)
        {
            var end = EndOfIgnored(text, i);
            if (end == i)
            {
                code.Append(text[i++]);
                continue;
            }
            code.Append(text[i] is '"' or '@' ? "\"\"" : " ").Append('\n', text.AsSpan(i, end - i).Count('\n'));
            i = end;
        }
        return code.ToString();
    }

    /// <summary>Where the comment, string or character that begins at <paramref name="i"/> ends; i itself if none does.</summary>
    private static int EndOfIgnored(string text, int i)
    {
        var rest = text.AsSpan(i);
        if (rest.StartsWith("//"))
            return After(text, "\n", i, keep: true);
        if (rest.StartsWith("/*"))
            return After(text, "*/", i + 2);
        if (rest.StartsWith("\"\"\""))
        {
            var quotes = rest.IndexOfAnyExcept('"') is var n && n < 0 ? rest.Length : n;
            return After(text, new string('"', quotes), i + quotes);
        }
        if (rest.StartsWith("@\"") || rest.StartsWith("@$\""))
            return EndOfVerbatim(text, text.IndexOf('"', i) + 1);
        return rest[0] is '"' or '\'' ? EndOfQuoted(text, i) : i;
    }

    private static int EndOfVerbatim(string text, int i)
    {
        for (; i < text.Length; i++)
        {
            if (text[i] != '"')
                continue;
            if (i + 1 >= text.Length || text[i + 1] != '"')
                return i + 1;
            i++;
        }
        return text.Length;
    }

    private static int EndOfQuoted(string text, int start)
    {
        for (var i = start + 1; i < text.Length && text[i] != '\n'; i++)
            if (text[i] == '\\')
                i++;
            else if (text[i] == text[start])
                return i + 1;
        return start; // no literal: an apostrophe in a preprocessor line
    }

    private static int After(string text, string end, int from, bool keep = false)
    {
        var at = text.IndexOf(end, from, StringComparison.Ordinal);
        return at < 0 ? text.Length : keep ? at : at + end.Length;
    }
}
