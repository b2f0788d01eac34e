using System.Globalization;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Rivals;
using Ebpf.Cni.Benchmarks.Roles;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>Pod to pod, without any Service: what the way through us costs against the same way made by hand.</summary>
internal static class PathScenario
{
    public const int Rounds = 21;

    private const int WarmUp = 2, StreamMilliseconds = 300, Exchanges = 4_000, ReachMilliseconds = 10_000;

    /// <summary>One way, and what ours is measured against.</summary>
    private sealed record Way(string Name, string Rival, MeterConnection Ours, string OurTarget, MeterConnection Theirs, string TheirTarget)
    {
        public List<double> OurStreams { get; } = [];

        public List<double> TheirStreams { get; } = [];

        public List<double> OurLatencies { get; } = [];

        public List<double> TheirLatencies { get; } = [];

        public void Measure(bool oursFirst, bool count)
        {
            for (var turn = 0; turn < 2; turn++)
            {
                var (meter, target, streams, latencies) = (turn == 0) == oursFirst
                    ? (Ours, OurTarget, OurStreams, OurLatencies) : (Theirs, TheirTarget, TheirStreams, TheirLatencies);
                var throughput = meter.Throughput(target.Replace(":7000", ":7001", StringComparison.Ordinal), StreamMilliseconds);
                var latency = meter.Latency(target, Exchanges);
                if (!count)
                    continue;
                streams.Add(throughput);
                latencies.Add(latency);
            }
        }

        public IEnumerable<IReadOnlyList<string>> Rows()
        {
            var (streams, latencies) = (new RoundRatios(OurStreams, TheirStreams), new RoundRatios(OurLatencies, TheirLatencies));
            yield return [Name, Rival, "throughput", Text(streams.Theirs, "0.0 Gbit/s"), Text(streams.Ours, "0.0 Gbit/s"), streams.Text(),
                "≥ 0.95"];
            yield return [Name, Rival, "request, response", Text(latencies.Theirs, "0.0 µs"), Text(latencies.Ours, "0.0 µs"),
                latencies.Text(), "≤ 1.05"];
        }

        private static string Text(double value, string format) =>
            value.ToString(format.Replace("Gbit/s", "'Gbit/s'", StringComparison.Ordinal), CultureInfo.InvariantCulture);
    }

    public static async Task RunAsync(Report report, int rounds)
    {
        using var plain = PlainPair.Start("routed", vxlan: false);
        using var vxlan = PlainPair.Start("vxlan", vxlan: true);
        await using var direct = await OurPair.StartAsync("bench-direct", "--routing", "direct");
        await using var tunnel = await OurPair.StartAsync("bench-tunnel", "--routing", "tunnel");
        using var plainNear = await MeterConnection.OpenAsync(plain.MeterSockets.Near);
        using var plainFar = await MeterConnection.OpenAsync(plain.MeterSockets.Far);
        using var vxlanFar = await MeterConnection.OpenAsync(vxlan.MeterSockets.Far);
        using var directNear = await MeterConnection.OpenAsync(direct.MeterSockets.Near);
        using var directFar = await MeterConnection.OpenAsync(direct.MeterSockets.Far);
        using var tunnelFar = await MeterConnection.OpenAsync(tunnel.MeterSockets.Far);
        var theirs = $"{PlainPair.Server}:{PlainPair.Port}";
        Way[] ways =
        [
            new("same node", "veth routing", directNear, direct.Server + ":7000", plainNear, theirs),
            new("across nodes, direct", "veth routing", directFar, direct.Server + ":7000", plainFar, theirs),
            new("across nodes, tunnel", "kernel VXLAN", tunnelFar, tunnel.Server + ":7000", vxlanFar, theirs),
        ];
        foreach (var way in ways)
            if (!way.Ours.Reaches(way.OurTarget, ReachMilliseconds) || !way.Theirs.Reaches(way.TheirTarget, ReachMilliseconds))
                throw new InvalidOperationException($"{way.Name}: the server is not reached");
        for (var round = -WarmUp; round < rounds; round++)
            foreach (var way in ways)
                way.Measure(oursFirst: (round & 1) == 0, count: round >= 0);
        report.Add(new Table(
            "Pod to pod",
            $"TCP, IPv4, one stream of {StreamMilliseconds} ms (until the receiver's report), and {Exchanges:N0} exchanges of 64 bytes "
            + "on an open connection. Both ends run on one core, since waking another costs more than all that is measured here. In "
            + $"each of {rounds} rounds ebpf-cni and the rival follow one another in alternating order, so that a slow phase of the "
            + "machine affects both. The ratio is the median of the rounds' own ratios, with its 95 % interval by resampling the "
            + "rounds. Veth routing: namespaces with routed veths and forwarding, nodes on one bridge, as with ebpf-cni, and no rules. "
            + "Kernel VXLAN: the same with a VXLAN device of fixed forwarding entries and neighbours (as flannel's). MTU 1500, through "
            + "tunnels 1450, for both. ebpf-cni checks sources, looks up Services and counts; the rivals do not.",
            ["way", "against", "", "theirs", "ours", "ours / theirs", "bar"],
            [.. ways.SelectMany(w => w.Rows())], []));
    }
}
