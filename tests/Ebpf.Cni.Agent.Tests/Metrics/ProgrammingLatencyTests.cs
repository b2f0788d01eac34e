using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Model;
using Microsoft.Extensions.Time.Testing;
using Prometheus;

namespace Ebpf.Cni.Agent.Tests.Metrics;

/// <summary>Which changes count for the network programming SLI, and in which bucket.</summary>
public partial class ProgrammingLatencyTests
{
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UnixEpoch.AddYears(50));
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();

    [Fact]
    public async Task Changes_since_the_start_count_once_and_others_do_not()
    {
        var latency = new ProgrammingLatency(_registry, _time);
        var started = _time.GetUtcNow();
        _time.Advance(TimeSpan.FromSeconds(10));
        var old = Slice("a-old", started.AddSeconds(-1));
        var without = Slice("b-without", null);
        var fresh = Slice("c-new", started.AddSeconds(7.6));
        latency.Applied(Cluster(old, without, fresh));
        Assert.Equal((1, 0, 1), (await Count(), await Bucket("2"), await Bucket("3")));

        // The same slice beside a changed one; and a slice that changed for another reason.
        _time.Advance(TimeSpan.FromSeconds(100));
        latency.Applied(Cluster(old, fresh with { Uid = "other" }, Slice("d", started.AddSeconds(109.9))));
        Assert.Equal((2, 1), (await Count(), await Bucket("0.25")));
        latency.Applied(Cluster(old));
        Assert.Equal(2, await Count());
    }

    [Fact]
    public async Task The_buckets_are_kube_proxys()
    {
        _ = new ProgrammingLatency(_registry, _time);
        var bounds = BucketPattern().Matches(await Text()).Select(m => m.Groups[1].Value).ToList();
        Assert.Equal(2 + 59 + 12 + 7 + 1, bounds.Count);
        Assert.Equal(["0.25", "0.5", "1", "59", "60", "115", "120", "300", "+Inf"],
            new[] { 0, 1, 2, 60, 61, 72, 73, 79, 80 }.Select(i => bounds[i]));
    }

    private static ClusterSnapshot Cluster(params EndpointSliceSnapshot[] slices) => new()
    {
        EndpointSlices = slices.ToImmutableSortedDictionary(s => s.Name, s => s),
    };

    private static EndpointSliceSnapshot Slice(string name, DateTimeOffset? trigger) =>
        new() { Name = new("default", name), LastChangeTriggerTime = trigger };

    private async Task<int> Count() => Number(await Text(), "_count ");

    private async Task<int> Bucket(string bound) => Number(await Text(), $"_bucket{{le=\"{bound}\"}} ");

    private static int Number(string text, string name) =>
        int.Parse(text.Split('\n').Single(l => l.Contains(name, StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);

    private async Task<string> Text()
    {
        using var stream = new MemoryStream();
        await _registry.CollectAndExportAsTextAsync(stream, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    [GeneratedRegex("kubeproxy_network_programming_duration_seconds_bucket\\{le=\"([^\"]*)\"")]
    private static partial Regex BucketPattern();
}
