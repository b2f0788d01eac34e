using System.Text;

namespace Ebpf.Cni.Cli.Text;

/// <summary>A table with aligned columns, as kubectl prints them: headings in capitals, two spaces between, numbers to the right.</summary>
internal sealed class Columns
{
    private const int Gap = 2;

    private readonly string[] _headings;
    private readonly bool[] _right;
    private readonly List<string[]> _rows = [];

    /// <param name="headings">One that starts with &gt; is of a column of numbers.</param>
    public Columns(params string[] headings)
    {
        _right = Array.ConvertAll(headings, h => h.StartsWith('>'));
        _headings = Array.ConvertAll(headings, h => h.TrimStart('>'));
    }

    public void Add(params string[] cells) => _rows.Add(Array.ConvertAll(cells, c => c.Length == 0 ? "-" : c));

    /// <param name="indent">Spaces before each line.</param>
    public string Render(int indent = 0)
    {
        var widths = _headings.Select((h, i) => _rows.Select(r => r[i].Length).Append(h.Length).Max()).ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows.Prepend(_headings))
        {
            var line = new StringBuilder().Append(' ', indent);
            for (var i = 0; i < row.Length; i++)
                line.Append(i == 0 ? "" : new string(' ', Gap)).Append(_right[i] ? row[i].PadLeft(widths[i]) : row[i].PadRight(widths[i]));
            text.Append(line.ToString().TrimEnd()).Append('\n');
        }

        return text.ToString();
    }
}
