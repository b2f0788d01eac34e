using System.Globalization;
using Ebpf.Cni.Benchmarks.Figures;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>What a Service costs against going to the pod directly.</summary>
internal static class LatencyScenario
{
    public static async Task<Section> RunAsync(BenchCluster bench, string path, int services, int pairs)
    {
        var shortConnections = await bench.MeasureAsync("crr", pairs);
        var openConnection = await bench.MeasureAsync("rr", pairs * 2);
        var (crrBar, rrBar) = path == "tc" ? ("≤ 1.10", "≤ 1.06") : ("≤ 1.03", "≤ 1.02");
        return new Section(
            string.Create(CultureInfo.InvariantCulture, $"Service through the {path}, {services:N0} other services"),
            "One client thread and one server thread run on one node and core: waking another core costs more than all that is measured "
            + "here. 64-byte messages, TCP, IPv4. The same exchange runs to the pod and to the Service, in pairs of alternating order. "
            + "Figures are medians. The interval is the ratio's 95 % interval by resampling the pairs.",
            [
                .. Lines("connect, request, response, close", shortConnections, crrBar),
                .. Lines("request, response on an open connection", openConnection, rrBar),
            ]);
    }

    private static IEnumerable<Figure> Lines(string what, PairedFigures f, string bar)
    {
        yield return new Figure(what, string.Create(
            CultureInfo.InvariantCulture,
            $"**{f.Ratio:0.000}** ({f.RatioLow:0.000} to {f.RatioHigh:0.000}): {f.DirectMicros:0.0} µs direct, {f.ServiceMicros:0.0} µs "
                + $"through the Service, {f.Pairs:N0} pairs"), bar);
    }
}
