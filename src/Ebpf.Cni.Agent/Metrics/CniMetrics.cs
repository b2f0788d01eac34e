using System.Globalization;
using Ebpf.Cni.Pods.Requests;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>CNI requests by command and outcome.</summary>
public sealed class CniMetrics : ICniObserver
{
    private readonly Counter _requests;
    private readonly Histogram _duration;

    public CniMetrics(CollectorRegistry registry)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        _requests = factory.CreateCounter(
            "ebpf_cni_cni_requests_total", "CNI requests by command and error code; code 0 is success.", ["command", "code"]);
        _duration = factory.CreateHistogram(
            "ebpf_cni_cni_request_duration_seconds", "CNI request latency from arrival to response, by command.", ["command"],
            new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.001, 2, 15) });
    }

    public void Handled(string command, int code, TimeSpan took)
    {
        _requests.WithLabels(command, code.ToString(CultureInfo.InvariantCulture)).Inc();
        _duration.WithLabels(command).Observe(took.TotalSeconds);
    }
}
