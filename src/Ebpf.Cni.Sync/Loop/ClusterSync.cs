using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>
/// The loop from the cluster to the kernel: the latest snapshot, compiled, applied. A change after quiet is applied
/// at once, in a storm all that come within --min-sync-period are one (<see cref="BoundedFrequencyRunner"/>). What
/// an apply leaves pending is retried with exponential back-off; everything is read back once per --verify-period.
/// </summary>
public sealed partial class ClusterSync(
    SnapshotStore store, INodeKernel kernel, NodeState node, NodeRanges ranges, ConntrackCleaner stale, AppliedState applied,
    IssueReport issues, SyncStatus status, ISyncObserver observer, SyncOptions options, TimeProvider time, ILogger<ClusterSync> log) : BackgroundService
{
    private readonly IncrementalCompiler _compiler = new();

    /// <summary>
    /// Of what is beside the services. One of its own: what fails there for long must not slow down a service's next attempt.
    /// </summary>
    private readonly RetryDelay _pendingBeside = new();
    private DesiredState _desired = DesiredState.Empty;
    private ClusterSnapshot _cluster = ClusterSnapshot.Empty;
    private NodeView _view = null!; // set by the first compile, before anything is applied
    private bool _first = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await kernel.Opened.WaitAsync(stoppingToken);
        _desired = DesiredState.Empty with { Ids = kernel.Services.RestoredIds };
        await node.Known.WaitAsync(stoppingToken);
        await store.WhenSynced.WaitAsync(stoppingToken);
        await new BoundedFrequencyRunner(options.MinSyncPeriod, options.VerifyPeriod, time)
            .RunAsync(() => Task.WhenAny(store.Changed, node.Changed), () => node.Awaited, Pass, stoppingToken);
    }

    /// <summary>Everything that touches the kernel, in one piece that the status watches: whichever call hangs, /livez fails.</summary>
    private RunOutcome Pass(bool full)
    {
        status.PassBegins();
        if (store.TryTake(out var change))
            Compile(change.Arrived);
        else if (node.Changed.IsCompleted)
            Compile(time.GetTimestamp());
        if (full)
            Verify();
        if (node.TakeLoss())
            kernel.Lost();
        var outcome = Apply();
        status.PassEnds();
        return outcome;
    }

    private void Compile(long arrived)
    {
        observer.Compiling();
        var cluster = _cluster = store.Take();
        status.Queued(arrived);
        var started = time.GetTimestamp();
        var self = cluster.Nodes.GetValueOrDefault(options.NodeName);
        _view = node.View(self);
        _desired = _compiler.Compile(cluster, _view.Context, _desired.Ids);
        observer.Compiled(arrived, time.GetElapsedTime(started));
        status.SetEligible(self is not { BeingDeleted: true });
        ranges.TakeChanged(cluster);
    }

    private RunOutcome Apply()
    {
        var started = time.GetTimestamp();
        var before = kernel.BeforeServices(_view, _desired);
        var services = kernel.Services.Apply(_desired);
        var after = kernel.AfterServices(_view, _desired);
        stale.Ended(services.RemovedBackends);
        applied.Set(_desired);
        observer.Applied(time.GetElapsedTime(started), services, before, after);
        issues.Report(_desired);
        issues.Report(
            "sync", [.. _view.Issues, .. store.Undecodable, .. services.Refusals.Select(Issue), .. before.Issues, .. after.Issues]);
        foreach (var error in services.Errors)
            Log.Failed(log, error.What, error.Cause.Message);
        if (services.Errors.Length > 0)
        {
            // A repair that fails is as bad as a change that does.
            status.Queued(started);
            return new RunOutcome(Failed: true, RetryBeside(before.Owed || after.Owed));
        }

        Done(services, before.Writes + after.Writes, started);
        var retry = services.Complete ? null : services.RetryAfter;
        return new RunOutcome(Failed: false, Earlier(retry, RetryBeside(before.Owed || after.Owed)));
    }

    private TimeSpan? RetryBeside(bool pending)
    {
        if (pending)
            return _pendingBeside.Next();
        _pendingBeside.Reset();
        return null;
    }

    private static TimeSpan? Earlier(TimeSpan? one, TimeSpan? other) => one < other || other is null ? one : other;

    private void Done(ApplyResult services, int others, long started)
    {
        // What does not fit, or cannot be reached, is an issue, not ill health: the loop has done what can be done.
        status.Applied();
        observer.InSync(_desired, _cluster);
        node.Applied(_view);
        if (services.KernelWrites + others > 0)
        {
            Log.Applied(log, services.FrontendsAdded, services.FrontendsSwitched, services.FrontendsDeleted, services.BackendsWritten, others,
                time.GetElapsedTime(started).TotalMilliseconds);
        }

        if (!_first)
            return;
        _first = false;
        var current = store.Current;
        Log.FirstSync(log, current.Services.Count, _desired.Ports.Values.Sum(p => p.Frontends.Length),
            _desired.Ports.Values.Sum(p => p.Segments.Sum(s => s.Backends.Length)), _desired.Routes.Length,
            _desired.IssuesByKey.Count, services.KernelWrites + others, time.GetElapsedTime(started).TotalMilliseconds);
        // The first lists leave much behind that never comes again.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void Verify()
    {
        try
        {
            var drift = kernel.Services.Verify();
            observer.Verified(drift);
            if (drift.Total > 0)
                Log.Drift(log, drift.Missing, drift.Unexpected, drift.Different, drift.DamagedSegments);
            if (kernel.VerifyDestinations() is > 0 and var prefixes)
                Log.PrefixDrift(log, prefixes);
        }
        catch (KernelException e)
        {
            Log.Failed(log, "read-back of the service tables", e.Message);
        }

        kernel.Doubt();
        ranges.Take(_cluster);
    }

    private CompileIssue Issue(TableFull full) => new("Service", full.Service, UidOf(full), "TableFull", full.Message);

    private string UidOf(TableFull full) => store.Current.Services.TryGetValue(full.Service, out var service) ? service.Uid : "";

    private static partial class Log
    {
        [LoggerMessage(3331, LogLevel.Information,
            "first sync: {Services} Services, {Frontends} frontends, {Backends} backends, {Routes} routes, {Issues} issues; "
            + "{Writes} writes to the kernel, {Milliseconds:0.0} ms")]
        public static partial void FirstSync(
            ILogger log, int services, int frontends, int backends, int routes, int issues, int writes, double milliseconds);

        [LoggerMessage(3332, LogLevel.Debug,
            "sync: frontends +{Added} ~{Switched} -{Deleted}, {Backends} backends written, {Others} other writes, {Milliseconds:0.0} ms")]
        public static partial void Applied(ILogger log, int added, int switched, int deleted, int backends, int others, double milliseconds);

        [LoggerMessage(3333, LogLevel.Error, "sync: {What} failed, the agent retries: {Cause}")]
        public static partial void Failed(ILogger log, string what, string cause);

        [LoggerMessage(3339, LogLevel.Warning,
            "verify: {Prefixes} ipcache entries in the kernel differed from the applied state; repaired")]
        public static partial void PrefixDrift(ILogger log, int prefixes);

        [LoggerMessage(3334, LogLevel.Warning,
            "verify: service tables in the kernel differed from the applied state: {Missing} missing, {Unexpected} unexpected, "
            + "{Different} different, {Damaged} damaged segments; repaired")]
        public static partial void Drift(ILogger log, int missing, int unexpected, int different, int damaged);
    }
}
