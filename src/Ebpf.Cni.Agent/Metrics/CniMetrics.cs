using System.Globalization;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>CNI requests by command and outcome.</summary>
public sealed class CniMetrics
{
    private readonly TimeProvider _time;
    private readonly Counter _requests;
    private readonly Histogram _duration;

    public CniMetrics(CollectorRegistry registry, TimeProvider time)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _time = time;
        _requests = factory.CreateCounter(
            "ebpf_cni_cni_requests_total", "CNI requests by command and error code; code 0 is success.", ["command", "code"]);
        _duration = factory.CreateHistogram(
            "ebpf_cni_cni_request_duration_seconds", "Time from a CNI request's arrival to its answer, by command.", ["command"],
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.001, 2, 15) });
    }

    /// <summary>A timestamp for <see cref="Handled"/>.</summary>
    public long Now => _time.GetTimestamp();

    public void Handled(string command, int code, long started)
    {
        _requests.WithLabels(command, code.ToString(CultureInfo.InvariantCulture)).Inc();
        _duration.WithLabels(command).Observe(_time.GetElapsedTime(started).TotalSeconds);
    }
}
