namespace Ebpf.Cni.Benchmarks.Figures;

/// <summary>Durations of the same exchange, directly to the pod and through the Service, in nanoseconds.</summary>
internal sealed class PairedSamples(int capacity)
{
    private readonly List<long> _direct = new(capacity);
    private readonly List<long> _service = new(capacity);

    public void Add(long direct, long service)
    {
        _direct.Add(direct);
        _service.Add(service);
    }

    public PairedFigures Summarize()
    {
        var direct = Median(_direct);
        var service = Median(_service);
        var (low, high) = RatioInterval();
        return new PairedFigures(_direct.Count, direct / 1000.0, service / 1000.0, service / (double)direct, low, high);
    }

    /// <summary>95 % interval of the ratio of medians, by resampling the pairs (fixed seed: the figures alone vary between runs).</summary>
    private (double Low, double High) RatioInterval()
    {
        const int rounds = 200;
        var random = new Random(1);
        var ratios = new double[rounds];
        var direct = new List<long>(_direct.Count);
        var service = new List<long>(_direct.Count);
        for (var round = 0; round < rounds; round++)
        {
            direct.Clear();
            service.Clear();
            for (var i = 0; i < _direct.Count; i++)
            {
                var pick = random.Next(_direct.Count);
                direct.Add(_direct[pick]);
                service.Add(_service[pick]);
            }
            ratios[round] = Median(service) / (double)Median(direct);
        }
        Array.Sort(ratios);
        return (ratios[rounds / 40], ratios[rounds - 1 - rounds / 40]);
    }

    private static long Median(List<long> values)
    {
        var sorted = values.ToArray();
        Array.Sort(sorted);
        return sorted[sorted.Length / 2];
    }
}

/// <summary>What a run of pairs showed: medians in microseconds, their ratio, and the ratio's 95 % interval.</summary>
internal sealed record PairedFigures(int Pairs, double DirectMicros, double ServiceMicros, double Ratio, double RatioLow, double RatioHigh);
