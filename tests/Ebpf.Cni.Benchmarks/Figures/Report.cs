using System.Globalization;
using System.Text;

namespace Ebpf.Cni.Benchmarks.Figures;

/// <summary>One line of the report: what was measured, the figure, and the bar it is held against (empty if there is none).</summary>
internal sealed record Figure(string What, string Value, string Bar = "");

/// <summary>A titled table.</summary>
internal sealed record Section(string Title, string Method, IReadOnlyList<Figure> Figures);

/// <summary>A table of any columns, with pictures (file names beside the report) above it.</summary>
internal sealed record Table(string Title, string Method,
    IReadOnlyList<string> Columns, IReadOnlyList<IReadOnlyList<string>> Rows, IReadOnlyList<string> Pictures);

/// <summary>What docs/benchmarks.md says: the machine, and a table for each scenario.</summary>
internal sealed class Report
{
    private readonly List<string> _sections = [];

    public void Add(Section section)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"\n## {section.Title}\n\n{Wrapped(section.Method)}\n\n")
            .Append("| what | figure | bar |\n| --- | --- | --- |\n");
        foreach (var figure in section.Figures)
            text.Append(CultureInfo.InvariantCulture, $"| {figure.What} | {figure.Value} | {figure.Bar} |\n");
        _sections.Add(text.ToString());
        Console.WriteLine(section.Title);
        foreach (var figure in section.Figures)
            Console.WriteLine($"  {figure.What}: {figure.Value}{(figure.Bar.Length > 0 ? $" (bar: {figure.Bar})" : "")}");
    }

    public void Add(Table table)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"\n## {table.Title}\n\n{Wrapped(table.Method)}\n\n");
        foreach (var picture in table.Pictures)
            text.Append(CultureInfo.InvariantCulture, $"![{Path.GetFileNameWithoutExtension(picture)}]({picture})\n\n");
        var lines = table.Rows.Prepend([.. table.Columns.Select(_ => "---")]).Prepend(table.Columns)
            .Select(r => $"| {string.Join(" | ", r)} |");
        text.AppendJoin('\n', lines).Append('\n');
        _sections.Add(text.ToString());
        Console.WriteLine(text);
    }

    public override string ToString()
    {
        var text = new StringBuilder(
            "# Benchmarks\n\nWritten by `make bench`. Each table is from one run on one machine. Ratios compare with the alternative that\n"
            + "a user would otherwise have. No test asserts a figure of this page.\n\n");
        text.Append(CultureInfo.InvariantCulture, $"Machine: {Machine()}.\n");
        foreach (var section in _sections)
            text.Append(section);
        return text.ToString();
    }

    /// <summary>As wide as the other pages.</summary>
    private static string Wrapped(string paragraph)
    {
        const int width = 120;
        var (text, column) = (new StringBuilder(), 0);
        foreach (var word in paragraph.Split(' '))
        {
            var fits = column + 1 + word.Length <= width;
            text.Append(column == 0 ? "" : fits ? " " : "\n").Append(word);
            column = column == 0 || !fits ? word.Length : column + 1 + word.Length;
        }
        return text.ToString();
    }

    private static string Machine()
    {
        var kernel = File.ReadAllText("/proc/sys/kernel/osrelease").Trim();
        var model = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1]
            .Trim() ?? "unknown processor";
        return $"{Environment.ProcessorCount} cores ({model}), Linux {kernel}, {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GiB";
    }
}
