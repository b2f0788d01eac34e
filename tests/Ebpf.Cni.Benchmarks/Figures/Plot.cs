using System.Globalization;
using System.Text;

namespace Ebpf.Cni.Benchmarks.Figures;

/// <summary>One line of a plot; a null value is a gap (what did not finish).</summary>
internal sealed record Series(string Name, string Colour, IReadOnlyList<double?> Values);

/// <summary>
/// Lines over a few sizes, as SVG. The sizes stand at equal distances; the vertical axis begins at 0, unless it is logarithmic.
/// </summary>
internal static class Plot
{
    private const int Width = 720, Height = 380, Left = 80, Right = 190, Top = 44, Bottom = 48;

    public static string Svg(string title, string unit, IReadOnlyList<string> sizes, IReadOnlyList<Series> series, bool logarithmic = false)
    {
        var values = series.SelectMany(s => s.Values).OfType<double>().ToList();
        var (low, high) = logarithmic ? (Decade(values.Min(), down: true), Decade(values.Max(), down: false)) : (0.0, values.Max() * 1.08);
        var text = new StringBuilder();
        const string font = "font-family=\"sans-serif\" font-size=\"12\"";
        Add(text, $"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {Width} {Height}\" {font}>");
        Add(text, $"<rect width=\"{Width}\" height=\"{Height}\" fill=\"white\"/>");
        Add(text, $"<text x=\"{Left}\" y=\"24\" font-size=\"15\">{title}</text>");
        foreach (var tick in logarithmic ? Decades(low, high) : Enumerable.Range(0, 6).Select(i => high * i / 5))
        {
            var y = Y(tick);
            Add(text, $"<line x1=\"{Left}\" x2=\"{Width - Right}\" y1=\"{y:0.0}\" y2=\"{y:0.0}\" stroke=\"#ddd\"/>");
            Add(text, $"<text x=\"{Left - 8}\" y=\"{y + 4:0.0}\" text-anchor=\"end\">{Label(tick)}</text>");
        }
        for (var i = 0; i < sizes.Count; i++)
            Add(text, $"<text x=\"{X(i):0.0}\" y=\"{Height - Bottom + 20}\" text-anchor=\"middle\">{sizes[i]}</text>");
        Add(text, $"<text x=\"{(Left + Width - Right) / 2}\" y=\"{Height - 8}\" text-anchor=\"middle\">services</text>");
        Add(text, $"<text x=\"12\" y=\"38\" fill=\"#555\">{unit}</text>");
        for (var s = 0; s < series.Count; s++)
            Line(series[s], s);
        return text.Append("</svg>\n").ToString();

        void Line(Series line, int number)
        {
            var points = line.Values.Select((v, i) => (X: X(i), Y: v is { } value ? Y(value) : (double?)null)).Where(p => p.Y is not null)
                .ToList();
            var corners = string.Join(' ', points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.X:0.0},{p.Y:0.0}")));
            Add(text, $"<polyline fill=\"none\" stroke=\"{line.Colour}\" stroke-width=\"2\" points=\"{corners}\"/>");
            foreach (var point in points)
                Add(text, $"<circle cx=\"{point.X:0.0}\" cy=\"{point.Y:0.0}\" r=\"3\" fill=\"{line.Colour}\"/>");
            var y = Top + 10 + number * 20;
            Add(text, $"<rect x=\"{Width - Right + 16}\" y=\"{y - 9}\" width=\"12\" height=\"12\" fill=\"{line.Colour}\"/>");
            Add(text, $"<text x=\"{Width - Right + 34}\" y=\"{y + 2}\">{line.Name}</text>");
        }

        double X(int i) => Left + (Width - Left - Right) * (i + 0.5) / sizes.Count;

        double Y(double value)
        {
            var share = logarithmic
                ? (Math.Log10(value) - Math.Log10(low)) / (Math.Log10(high) - Math.Log10(low)) : (value - low) / (high - low);
            return Height - Bottom - share * (Height - Top - Bottom);
        }
    }

    private static double Decade(double value, bool down)
    {
        var exponent = Math.Log10(value);
        return Math.Pow(10, down ? Math.Floor(exponent) : Math.Ceiling(exponent));
    }

    private static IEnumerable<double> Decades(double low, double high)
    {
        for (var tick = low; tick <= high * 1.001; tick *= 10)
            yield return tick;
    }

    private static string Label(double value) => value.ToString(value is > 0 and < 1 ? "0.###" : "#,0", CultureInfo.InvariantCulture);

    private static void Add(StringBuilder text, FormattableString line) =>
        text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
