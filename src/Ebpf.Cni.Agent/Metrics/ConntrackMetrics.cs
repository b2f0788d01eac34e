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
        _connections = factory.CreateGauge("ebpf_cni_conntrack_connections", "Live connections at the last sweep, by state.", ["state"]);
        _fill = factory.CreateGauge("ebpf_cni_conntrack_fill_ratio", "Used share of the connection table at the last sweep, from 0 to 1.");
        _reaped = factory.CreateCounter("ebpf_cni_conntrack_reaped_total", "Finished connections removed by sweeps.");
        _sweep = factory.CreateHistogram("ebpf_cni_conntrack_sweep_duration_seconds", "Time of one pass over the connection table.", buckets);
        _purge = factory.CreateHistogram(
            "kubeproxy_conntrack_reconciler_sync_duration_seconds", "Time to remove the entries of backends that serve no more.", buckets);
        _deleted = factory.CreateCounter(
            "kubeproxy_conntrack_reconciler_deleted_entries_total", "Entries removed because their backends serve no more.");
        _sockets = factory.CreateCounter(
            "ebpf_cni_stale_sockets_destroyed_total", "Connected UDP sockets that were told that their backends serve no more.");
    }

    public void Swept(SweepResult result, TimeSpan taken)
    {
        ArgumentNullException.ThrowIfNull(result);
        foreach (var state in Enum.GetValues<CtState>())
            _connections.WithLabels(LabelText.Snake(state)).Set(result.ByState.GetValueOrDefault(state));
        _fill.Set(result.Usage.Size == 0 ? 0 : (double)result.Usage.Entries / result.Usage.Size);
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
