using System.Text.Json.Nodes;
using Ebpf.Cni.Chart.Tests.Rendering;

namespace Ebpf.Cni.Chart.Tests.Values;

/// <summary>A line of values.yaml that sets a value.</summary>
/// <param name="Path">agent.mtu.</param>
/// <param name="Comment">The lines above it, as one text; "" without any.</param>
internal sealed record ValueLine(string Path, string Comment);

/// <summary>values.yaml, as helm and as a person reads it.</summary>
internal static class ValuesFile
{
    public static readonly string Text = File.ReadAllText(Path.Combine(Helm.Chart, "values.yaml"));

    public static readonly JsonObject Defaults = YamlText.Documents(Text).Single().AsObject();

    public static JsonObject Agent => Defaults["agent"]!.AsObject();

    public static IReadOnlyList<ValueLine> Lines { get; } = [.. Read(Text)];

    /// <summary>What follows "key:" in a line is a value; items of lists are their list's.</summary>
    internal static IEnumerable<ValueLine> Read(string text)
    {
        var above = new List<(int Indent, string Key)>();
        var comment = new List<string>();
        foreach (var line in text.Split('\n'))
        {
            var content = line.Trim();
            if (content.StartsWith('#'))
            {
                comment.Add(content[1..].Trim());
                continue;
            }

            if (content.Length > 0 && content[0] != '-')
            {
                var indent = line.Length - line.TrimStart().Length;
                above.RemoveAll(a => a.Indent >= indent);
                above.Add((indent, content[..content.IndexOf(':', StringComparison.Ordinal)]));
                yield return new ValueLine(string.Join('.', above.Select(a => a.Key)), string.Join(' ', comment));
            }

            comment.Clear();
        }
    }
}
