using System.Diagnostics;
using System.Globalization;
using Spectre.Console;

namespace Ebpf.Cni.Sandbox.Demo;

/// <summary>What the demo prints: steps with their times, and tables. Plain and unbroken where it is piped.</summary>
internal sealed class DemoOutput
{
    private const int PipeWidth = 200;
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly IAnsiConsole _console = AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
        Interactive = InteractionSupport.No,
    });

    public DemoOutput()
    {
        if (Console.IsOutputRedirected)
            _console.Profile.Width = PipeWidth;
    }

    public void Step(string text)
    {
        var seconds = _clock.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture).PadLeft(5);
        _console.MarkupLine($"[grey]{seconds} s[/]  {Markup.Escape(text)}");
    }

    public void Line(string text = "") => _console.WriteLine(text);

    public void Problem(string text) => _console.MarkupLine($"[red]{Markup.Escape(text)}[/]");

    /// <param name="numbers">From this column on, cells are numbers: set to the right.</param>
    public void Table(string title, IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows, int numbers)
    {
        var table = new Table().Border(Console.IsOutputRedirected ? TableBorder.Ascii2 : TableBorder.Rounded);
        for (var i = 0; i < columns.Count; i++)
        {
            var column = new TableColumn(Markup.Escape(columns[i])).NoWrap();
            table.AddColumn(i >= numbers ? column.RightAligned() : column);
        }
        foreach (var row in rows)
            table.AddRow([.. row.Select(cell => new Text(cell))]);
        _console.WriteLine();
        _console.MarkupLine($"[bold]{Markup.Escape(title)}[/]");
        _console.Write(table);
    }
}
