using System.Globalization;

namespace Ebpf.Cni.Benchmarks.Figures;

/// <summary>
/// Two contestants, measured one right after the other in every round: a slow moment of the machine hits both. What counts is therefore
/// each round's own ratio; the median of those is told, with its 95 % interval by resampling the rounds (fixed seed: the figures alone vary
/// between runs).
/// </summary>
internal sealed class RoundRatios(IReadOnlyList<double> ours, IReadOnlyList<double> theirs)
{
    private readonly double[] _ratios = [.. ours.Zip(theirs, (a, b) => a / b)];

    public double Ours => Median(ours);

    public double Theirs => Median(theirs);

    public double Median() => Median(_ratios);

    /// <summary>The ratio and its interval, as the report writes them.</summary>
    public string Text()
    {
        const int samples = 1000;
        var random = new Random(1);
        var medians = new double[samples];
        for (var i = 0; i < samples; i++)
            medians[i] = Median([.. Enumerable.Range(0, _ratios.Length).Select(_ => _ratios[random.Next(_ratios.Length)])]);
        Array.Sort(medians);
        return string.Create(CultureInfo.InvariantCulture,
            $"**{Median():0.00}** ({medians[samples / 40]:0.00} to {medians[samples - 1 - samples / 40]:0.00})");
    }

    public static double Median(IReadOnlyList<double> values) => values.Order().ElementAt(values.Count / 2);
}
