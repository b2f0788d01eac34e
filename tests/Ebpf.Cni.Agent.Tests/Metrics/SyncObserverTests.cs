using System.Text;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kubernetes.Watching;
using Ebpf.Cni.Sync.Apply;
using Microsoft.Extensions.Time.Testing;
using Prometheus;

namespace Ebpf.Cni.Agent.Tests.Metrics;

/// <summary>The metrics of what the sync loop reports.</summary>
public class SyncObserverTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();
    private readonly PendingChanges _pending;
    private readonly SyncObserver _observer;
    private IReadOnlyList<ReflectorState> _watches = [];

    public SyncObserverTests()
    {
        _pending = new PendingChanges(() => _watches);
        _observer = new SyncObserver(
            new SyncMetrics(_registry, _time), new RouteMetrics(_registry), _pending, new ProgrammingLatency(_registry, _time));
    }

    [Fact]
    public void Changes_are_pending_by_kind_until_an_apply_that_has_them_succeeds()
    {
        _watches = [new ReflectorState { Kind = "Service", Events = 3 }, new ReflectorState { Kind = "Node", Events = 1 }];
        _observer.Compiling();
        Assert.Equal((3, 1, 0), (_pending.Of("Service", 3), _pending.Of("Node", 1), _pending.Of("EndpointSlice", 0)));
        _observer.InSync(DesiredState.Empty, ClusterSnapshot.Empty);
        // Events since the loop took the snapshot stay pending.
        Assert.Equal((0, 0, 2), (_pending.Of("Service", 3), _pending.Of("Node", 1), _pending.Of("EndpointSlice", 2)));
    }

    [Fact]
    public async Task Drift_is_counted()
    {
        _observer.Verified(new DriftReport { Missing = 1 });
        Assert.Contains("ebpf_cni_drift_total 1", await TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Issues_are_a_gauge_by_reason()
    {
        var issue = new CompileIssue("Service", new("default", "a"), "u", "R1", "message");
        _observer.Appeared(issue);
        _observer.Appeared(issue with { Uid = "v" });
        _observer.Over(issue);
        Assert.Contains("ebpf_cni_issues{reason=\"R1\"} 1", await TextAsync(), StringComparison.Ordinal);
    }

    /// <summary>Routes are applied although a Service's write fails.</summary>
    [Fact]
    public async Task Routes_are_counted_at_each_apply()
    {
        var route = new DesiredRoute(System.Net.IPNetwork.Parse("10.244.7.0/24"), null, "n2");
        var nothing = new NodeApplyResult([], 0, []);
        _observer.Applied(TimeSpan.Zero, DesiredState.Empty with { Routes = [route] },
            new DataplaneResult(nothing, new ApplyResult(), nothing));
        Assert.Contains("ebpf_cni_peer_routes{family=\"ipv4\",path=\"tunnel\"} 1", await TextAsync(), StringComparison.Ordinal);
    }

    private async Task<string> TextAsync()
    {
        using var text = new MemoryStream();
        await _registry.CollectAndExportAsTextAsync(text, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(text.ToArray());
    }
}
