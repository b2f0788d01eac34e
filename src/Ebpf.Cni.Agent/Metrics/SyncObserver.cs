using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>The sync loop's metrics.</summary>
public sealed class SyncObserver(SyncMetrics metrics, RouteMetrics routes, PendingChanges pending, ProgrammingLatency latency)
    : ISyncObserver
{
    public void Compiling() => pending.Compiling();

    public void Compiled(long arrived, TimeSpan took)
    {
        metrics.Queued(arrived);
        metrics.Compiled(took);
    }

    public void Applied(TimeSpan took, DesiredState desired, DataplaneResult result)
    {
        metrics.Applied(took, result);
        routes.Holds(desired);
    }

    public void InSync(DesiredState desired, ClusterSnapshot cluster)
    {
        metrics.InSync();
        metrics.Holds(desired);
        pending.Applied();
        latency.Applied(cluster);
    }

    public void Verified(DriftReport drift) => metrics.Verified(drift);

    public void Appeared(CompileIssue issue) => metrics.Appeared(issue);

    public void Over(CompileIssue issue) => metrics.Over(issue);
}
