using System.Text.RegularExpressions;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>A metric as Prometheus' text format or the page declares it.</summary>
/// <param name="Name">Without the suffixes of a histogram's series.</param>
/// <param name="Type">counter, gauge or histogram.</param>
/// <param name="Labels">Names, sorted; without <c>le</c>.</param>
internal sealed record MetricEntry(string Name, string Type, string Labels);

/// <summary>docs/metrics.md and an answer of /metrics, as the same kind of list.</summary>
internal static partial class MetricsPage
{
    /// <summary>Rows <c>| `name` | type | `label`, ... | meaning |</c>.</summary>
    public static IReadOnlyList<MetricEntry> Documented(string page) =>
    [
        .. RowPattern().Matches(page).Select(m => new MetricEntry(
            m.Groups["name"].Value, m.Groups["type"].Value,
            Joined(LabelPattern().Matches(m.Groups["labels"].Value).Select(l => l.Groups[1].Value)))),
    ];

    /// <summary>Lines of queries: those of the page's indented blocks that are no commands.</summary>
    public static IReadOnlyList<string> Queries(string page) =>
        [.. page.Split('\n').Where(l => l.StartsWith("    ", StringComparison.Ordinal) && !l.Contains(" -- ", StringComparison.Ordinal)
            && !l.Contains("curl", StringComparison.Ordinal))];

    /// <summary>Names of metrics in a query; a series of a histogram counts for the histogram.</summary>
    public static IEnumerable<string> Named(string query) => NamePattern().Matches(query).Select(m => m.Value);

    /// <summary>Every family that is declared. Labels are those of its first series; a family without series has none to compare.</summary>
    /// <exception cref="FormatException">A family has no series, so its labels are unknown.</exception>
    public static IReadOnlyList<MetricEntry> Exported(string answer)
    {
        var lines = answer.Split('\n');
        return
        [
            .. TypePattern().Matches(answer).Select(m => (Name: m.Groups["name"].Value, Type: m.Groups["type"].Value)).Select(family =>
                new MetricEntry(family.Name, family.Type, LabelsOf(family.Name, lines))),
        ];
    }

    private static string LabelsOf(string name, string[] lines)
    {
        var series = lines.Select(l => SeriesPattern().Match(l)).FirstOrDefault(m => m.Success && Family(m.Groups["name"].Value, name))
            ?? throw new FormatException($"{name} has no series");
        return Joined(SeriesLabelPattern().Matches(series.Groups["labels"].Value).Select(l => l.Groups[1].Value).Where(l => l != "le"));
    }

    public static bool Family(string series, string name) =>
        series == name || series == name + "_bucket" || series == name + "_sum" || series == name + "_count";

    private static string Joined(IEnumerable<string> labels) => string.Join(",", labels.Order(StringComparer.Ordinal));

    [GeneratedRegex(@"(?m)^\| `(?<name>[a-z_]+)` \| (?<type>counter|gauge|histogram) \| (?<labels>[^|]*)\|")]
    private static partial Regex RowPattern();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex LabelPattern();

    [GeneratedRegex(@"\b(ebpf_cni|kubeproxy|process|dotnet)_[a-z_]+")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"(?m)^# TYPE (?<name>\S+) (?<type>\S+)$")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"^(?<name>[a-z_]+)(\{(?<labels>.*)\})? \S+$")]
    private static partial Regex SeriesPattern();

    [GeneratedRegex("""([a-z_]+)="(?:[^"\\]|\\.)*""" + "\"")]
    private static partial Regex SeriesLabelPattern();
}
