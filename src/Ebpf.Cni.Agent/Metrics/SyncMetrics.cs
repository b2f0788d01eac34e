using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Apply;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>The sync loop. Where kube-proxy has a metric with the same meaning, it has kube-proxy's name.</summary>
public sealed class SyncMetrics
{
    private static readonly double[] Buckets = Histogram.ExponentialBuckets(0.0001, 2, 18);

    private static readonly (string Policy, Scope Scope)[] Policies = [("internal", Scope.Internal), ("external", Scope.External)];

    private readonly TimeProvider _time;
    private readonly Histogram _sync, _compile, _apply, _reaction;
    private readonly Gauge _lastSync, _lastQueued, _pending, _issues, _noLocal;
    private readonly Counter _writes, _errors, _drift;
    private DesiredState _held = DesiredState.Empty;
    private long? _arrived;

    public SyncMetrics(CollectorRegistry registry, TimeProvider time)
    {
        var factory = Prometheus.Metrics.WithCustomRegistry(registry);
        var buckets = new HistogramConfiguration { Buckets = Buckets };
        _time = time;
        _sync = factory.CreateHistogram(
            "kubeproxy_sync_proxy_rules_duration_seconds", "Duration of one sync (apply to the kernel).", buckets);
        _lastSync = factory.CreateGauge(
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds", "Time of the last successful sync, in Unix seconds.");
        _lastQueued = factory.CreateGauge(
            "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "Time of the last queued change, in Unix seconds.");
        _compile = factory.CreateHistogram("ebpf_cni_compile_duration_seconds", "Duration of compiling a cluster snapshot.", buckets);
        _apply = factory.CreateHistogram(
            "ebpf_cni_apply_duration_seconds", "Duration of applying a compiled state to the kernel.", buckets);
        _reaction = factory.CreateHistogram(
            "ebpf_cni_reaction_duration_seconds", "Latency from the arrival of a watch event until the kernel tables hold it.", buckets);
        _writes = factory.CreateCounter(
            "ebpf_cni_kernel_writes_total", "Writes to kernel tables, routes and attachments, by kind.", ["kind"]);
        _errors = factory.CreateCounter("ebpf_cni_apply_errors_total", "Failed writes to the kernel.");
        _pending = factory.CreateGauge(
            "ebpf_cni_services_pending", "Services with pending changes (kernel state not as desired), by cause.", ["cause"]);
        _issues = factory.CreateGauge("ebpf_cni_issues", "Current issues: objects, or parts of them, not served, by reason.", ["reason"]);
        _noLocal = factory.CreateGauge(
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
            "Service ports with a Local traffic policy that have endpoints, but none on this node.", ["traffic_policy"]);
        foreach (var (policy, _) in Policies)
            _noLocal.WithLabels(policy).Set(0);
        _drift = factory.CreateCounter(
            "ebpf_cni_drift_total", "Entries of kernel tables that verification found different from the applied state.");
    }

    public void Queued(long arrived)
    {
        _lastQueued.SetToCurrentTimeUtc();
        _arrived ??= arrived;
    }

    public void Compiled(TimeSpan took) => _compile.Observe(took.TotalSeconds);

    public void Applied(TimeSpan took, DataplaneResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        var services = result.Services;
        _apply.Observe(took.TotalSeconds);
        _sync.Observe(took.TotalSeconds);
        _writes.WithLabels("segment").Inc(services.SegmentsWritten);
        _writes.WithLabels("frontend_add").Inc(services.FrontendsAdded);
        _writes.WithLabels("frontend_switch").Inc(services.FrontendsSwitched);
        _writes.WithLabels("frontend_delete").Inc(services.FrontendsDeleted);
        _errors.Inc(services.Errors.Length);
        foreach (var other in (ReadOnlySpan<NodeApplyResult>)[result.Before, result.After])
        {
            foreach (var (kind, count) in other.WritesByKind)
                _writes.WithLabels(kind).Inc(count);
            _errors.Inc(other.Errors);
        }

        _pending.WithLabels("table_full").Set(services.Refusals.Length);
        _pending.WithLabels("waiting_for_space").Set(services.Waiting.Length);
    }

    public void InSync()
    {
        _lastSync.SetToCurrentTimeUtc();
        if (_arrived is { } arrived)
            _reaction.Observe(Since(arrived));
        _arrived = null;
    }

    /// <summary>What the kernel now holds.</summary>
    public void Holds(DesiredState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        foreach (var (before, after) in state.PortsSince(_held))
            foreach (var (policy, scope) in Policies)
                _noLocal.WithLabels(policy).Inc((IsSilent(after, scope) ? 1 : 0) - (IsSilent(before, scope) ? 1 : 0));
        _held = state;
    }

    public void Verified(DriftReport drift) => _drift.Inc(drift.Total);

    /// <summary>An issue that was not there before.</summary>
    public void Appeared(CompileIssue issue)
    {
        ArgumentNullException.ThrowIfNull(issue);
        _issues.WithLabels(issue.Reason).Inc();
    }

    /// <summary>An issue that was there is no more.</summary>
    public void Over(CompileIssue issue)
    {
        ArgumentNullException.ThrowIfNull(issue);
        _issues.WithLabels(issue.Reason).Dec();
    }

    /// <summary>Its frontends drop in silence: exactly those of a Local policy without an endpoint here.</summary>
    private static bool IsSilent(DesiredPort? port, Scope scope)
    {
        if (port is not null)
            foreach (var frontend in port.Frontends)
                if (frontend.Key.Scope == scope && frontend.Flags.HasFlag(SvcFlags.DropEmpty))
                    return true;
        return false;
    }

    private double Since(long started) => _time.GetElapsedTime(started).TotalSeconds;
}
