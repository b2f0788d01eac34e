using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>
/// The network programming SLI, as kube-proxy defines it (sig-scalability: network_programming_latency): from the change of a pod or
/// Service that made the endpoint controller write a slice until the slice is in the kernel.
/// </summary>
public sealed class ProgrammingLatency
{
    private readonly TimeProvider _time;
    private readonly Histogram _duration;
    private readonly DateTimeOffset _started;
    private ClusterSnapshot _before = ClusterSnapshot.Empty;

    public ProgrammingLatency(CollectorRegistry registry, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _started = time.GetUtcNow();
        _duration = Prometheus.Metrics.WithCustomRegistry(registry).CreateHistogram(
            "kubeproxy_network_programming_duration_seconds",
            "Latency from the trigger time of an EndpointSlice change until the kernel tables hold it.",
            new HistogramConfiguration { Buckets = Buckets() });
    }

    /// <summary>
    /// This cluster is in the kernel now. Removed slices carry no time; what happened before this process does not count.
    /// </summary>
    public void Applied(ClusterSnapshot cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        var now = _time.GetUtcNow();
        foreach (var name in KeyedDifference.Between(_before.EndpointSlices, cluster.EndpointSlices, cluster.SliceChanges))
        {
            var (known, slice) = (_before.EndpointSlices.GetValueOrDefault(name), cluster.EndpointSlices.GetValueOrDefault(name));
            if (!ReferenceEquals(known, slice) && slice?.LastChangeTriggerTime is { } trigger
                && trigger > _started && trigger != known?.LastChangeTriggerTime)
                _duration.Observe(Math.Max(0, (now - trigger).TotalSeconds));
        }

        _before = cluster;
    }

    /// <summary>kube-proxy's: 0.25, 0.5, then seconds to a minute, 5 s to two, 30 s to five.</summary>
    private static double[] Buckets() =>
    [
        .. Histogram.LinearBuckets(0.25, 0.25, 2), .. Histogram.LinearBuckets(1, 1, 59), .. Histogram.LinearBuckets(60, 5, 12),
        .. Histogram.LinearBuckets(120, 30, 7),
    ];
}
