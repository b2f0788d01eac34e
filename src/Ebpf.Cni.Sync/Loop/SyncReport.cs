using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>
/// Reports the loop's passes to the agent's other parts: health (<see cref="SyncStatus"/>), metrics (<see cref="ISyncObserver"/>),
/// issues, the readers of the applied state, and the cleaner of removed backends' connections.
/// </summary>
public sealed class SyncReport(
    SyncStatus status, AppliedState applied, IssueReport issues, ConntrackCleaner cleaner, ISyncObserver observer)
{
    public void PassBegins() => status.PassBegins();

    public void PassEnds() => status.PassEnds();

    /// <summary>The loop is about to take a snapshot of the cluster.</summary>
    /// <param name="arrived">When the oldest change in it arrived; a timestamp of the loop's clock.</param>
    public void Compiling(long arrived)
    {
        observer.Compiling();
        status.Queued(arrived);
    }

    /// <param name="arrived">As before.</param>
    /// <param name="took">The compile.</param>
    /// <param name="self">This node's object; null: there is none.</param>
    public void Compiled(long arrived, TimeSpan took, NodeSnapshot? self)
    {
        observer.Compiled(arrived, took);
        status.SetEligible(self is not { BeingDeleted: true });
    }

    /// <summary>An apply has ended, with or without errors.</summary>
    /// <param name="desired">What was applied.</param>
    /// <param name="result">What became of it.</param>
    /// <param name="others">Issues beside the compiler's.</param>
    /// <param name="took">The apply.</param>
    public void Applied(DesiredState desired, DataplaneResult result, IReadOnlyCollection<CompileIssue> others, TimeSpan took)
    {
        ArgumentNullException.ThrowIfNull(result);
        cleaner.Ended(result.Services.RemovedBackends);
        applied.Set(desired);
        observer.Applied(took, desired, result);
        issues.Report(desired);
        issues.Report("sync", others);
    }

    /// <summary>Nothing that was compiled is pending.</summary>
    public void InSync(DesiredState desired, ClusterSnapshot cluster)
    {
        status.Applied();
        observer.InSync(desired, cluster);
    }

    /// <summary>A write failed. A repair that fails is as bad as a change that does.</summary>
    /// <param name="since">When the apply began.</param>
    public void Failed(long since) => status.Queued(since);

    public void Verified(DriftReport drift) => observer.Verified(drift);
}
