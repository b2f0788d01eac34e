using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Conntrack;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>The connection table. Where kube-proxy's reconciler does the same, it has kube-proxy's name.</summary>
public sealed class ConntrackMetrics
{
    private readonly Gauge _connections, _fill;
    private readonly Counter _reaped, _deleted, _sockets;
    private readonly Histogram _sweep, _purge;

    public ConntrackMetrics(CollectorRegistry registry)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        var buckets = new HistogramConfiguration { Buckets = Histogram.ExponentialBuckets(0.001, 2, 15) };
        _connections = factory.CreateGauge(
            "ebpf_cni_conntrack_connections", "Live connections at the last garbage collection pass, by state.", ["state"]);
        _fill = factory.CreateGauge(
            "ebpf_cni_conntrack_fill_ratio",
            "Fill ratio of the conntrack tables (tcp, other) at the last garbage collection pass, 0 to 1.", ["table"]);
        _reaped = factory.CreateCounter("ebpf_cni_conntrack_reaped_total", "Expired connections removed by garbage collection.");
        _sweep = factory.CreateHistogram(
            "ebpf_cni_conntrack_sweep_duration_seconds", "Duration of a garbage collection pass over the conntrack tables.", buckets);
        _purge = factory.CreateHistogram(
            "kubeproxy_conntrack_reconciler_sync_duration_seconds",
            "Duration of deleting the conntrack entries of removed backends.", buckets);
        _deleted = factory.CreateCounter(
            "kubeproxy_conntrack_reconciler_deleted_entries_total", "Conntrack entries deleted because their backend was removed.");
        _sockets = factory.CreateCounter(
            "ebpf_cni_stale_sockets_destroyed_total", "Connected UDP sockets destroyed because their backend was removed.");
    }

    public void Swept(SweepResult result, TimeSpan taken)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach (var state in Enum.GetValues<CtState>())
            _connections.WithLabels(LabelText.Snake(state)).Set(result.ByState.GetValueOrDefault(state));
        _fill.WithLabels("tcp").Set(ConntrackUsage.Share(result.Usage.Tcp));
        _fill.WithLabels("other").Set(ConntrackUsage.Share(result.Usage.Any));
        _reaped.Inc(result.Reaped);
        _sweep.Observe(taken.TotalSeconds);
    }

    public void Purged(int entries, TimeSpan taken)
    {
        _deleted.Inc(entries);
        _purge.Observe(taken.TotalSeconds);
    }

    public void Destroyed(int sockets) => _sockets.Inc(sockets);
}
