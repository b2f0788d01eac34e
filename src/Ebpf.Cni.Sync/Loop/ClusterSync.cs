using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>
/// The loop from the cluster to the kernel: the latest snapshot, compiled, applied. A change after quiet is applied
/// at once, in a storm all that come within --min-sync-period are one (<see cref="BoundedFrequencyRunner"/>). What
/// an apply leaves pending is retried with exponential back-off; everything is read back once per --verify-period.
/// </summary>
public sealed partial class ClusterSync(
    SnapshotStore store, NodeState node, NodeRanges ranges, IDataplane dataplane, SyncReport report, SyncOptions options, TimeProvider time,
    ILogger<ClusterSync> log) : BackgroundService
{
    private readonly IncrementalCompiler _compiler = new();

    /// <summary>
    /// Of what is beside the services. One of its own: what fails there for long must not slow down a service's next attempt.
    /// </summary>
    private readonly RetryDelay _retryOthers = new();
    private DesiredState _desired = DesiredState.Empty;
    private ClusterSnapshot _cluster = ClusterSnapshot.Empty;
    private NodeView _view = null!; // set by the first compile, before anything is applied
    private bool _first = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await dataplane.Opened.WaitAsync(stoppingToken);
        _desired = DesiredState.Empty with { Ids = dataplane.RestoredIds };
        await node.Known.WaitAsync(stoppingToken);
        await store.WhenSynced.WaitAsync(stoppingToken);
        await new BoundedFrequencyRunner(options.MinSyncPeriod, options.VerifyPeriod, time)
            .RunAsync(() => Task.WhenAny(store.Changed, node.Changed), () => node.Awaited, Pass, stoppingToken);
    }

    /// <summary>Everything that touches the kernel, in one piece that the status watches: whichever call hangs, /livez fails.</summary>
    private RunOutcome Pass(bool full)
    {
        report.PassBegins();
        if (store.TryTake(out var change))
            Compile(change.Arrived);
        else if (node.Changed.IsCompleted)
            Compile(time.GetTimestamp());
        if (full)
            Verify();
        if (node.TakeLoss())
            dataplane.Lost();
        var outcome = Apply();
        report.PassEnds();
        return outcome;
    }

    private void Compile(long arrived)
    {
        report.Compiling(arrived);
        var cluster = _cluster = store.Take();
        var started = time.GetTimestamp();
        var self = cluster.Nodes.GetValueOrDefault(options.NodeName);
        _view = node.View(self);
        _desired = _compiler.Compile(cluster, _view.Context, _desired.Ids);
        report.Compiled(arrived, time.GetElapsedTime(started), self);
        ranges.TakeChanged(cluster);
    }

    private RunOutcome Apply()
    {
        var started = time.GetTimestamp();
        var result = dataplane.Apply(_view, _desired);
        report.Applied(_desired, result, Issues(result), time.GetElapsedTime(started));
        foreach (var error in result.Services.Errors)
            Log.Failed(log, error.What, error.Cause.Message);
        var others = RetryOthers(result.OthersNeedRetry);
        if (result.Services.Errors.Length > 0)
        {
            report.Failed(started);
            return new RunOutcome(Failed: true, others);
        }

        Done(result, time.GetElapsedTime(started));
        return new RunOutcome(Failed: false, Earlier(result.Services.Complete ? null : result.Services.RetryAfter, others));
    }

    private TimeSpan? RetryOthers(bool needed)
    {
        if (needed)
            return _retryOthers.Next();
        _retryOthers.Reset();
        return null;
    }

    private static TimeSpan? Earlier(TimeSpan? one, TimeSpan? other) => one < other || other is null ? one : other;

    /// <summary>What does not fit, or cannot be reached, is an issue, not ill health: the loop has done what can be done.</summary>
    private void Done(DataplaneResult result, TimeSpan took)
    {
        report.InSync(_desired, _cluster);
        node.Applied(_view);
        var services = result.Services;
        if (services.KernelWrites + result.OtherWrites > 0)
        {
            Log.Applied(log, services.FrontendsAdded, services.FrontendsSwitched, services.FrontendsDeleted, services.BackendsWritten,
                result.OtherWrites, took.TotalMilliseconds);
        }

        if (!_first)
            return;
        _first = false;
        var current = store.Current;
        Log.FirstSync(log, current.Services.Count, _desired.Ports.Values.Sum(p => p.Frontends.Length),
            _desired.Ports.Values.Sum(p => p.Segments.Sum(s => s.Backends.Length)), _desired.Routes.Length,
            _desired.IssuesByKey.Count, services.KernelWrites + result.OtherWrites, took.TotalMilliseconds);
        // The first lists leave much behind that never comes again.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void Verify()
    {
        var drift = dataplane.Verify();
        if (drift.Services is { } services)
        {
            report.Verified(services);
            if (services.Total > 0)
                Log.Drift(log, services.Missing, services.Unexpected, services.Different, services.DamagedSegments);
        }

        if (drift.Prefixes > 0)
            Log.PrefixDrift(log, drift.Prefixes);
        if (drift.Failure is { } failure)
            Log.Failed(log, "read-back of the service tables", failure.Message);
        ranges.Take(_cluster);
    }

    private IReadOnlyCollection<CompileIssue> Issues(DataplaneResult result) =>
    [
        .. _view.Issues, .. store.Undecodable, .. result.Services.Refusals.Select(Issue), .. result.Before.Issues, .. result.After.Issues,
    ];

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
        public static partial void Applied(ILogger log, int added, int switched, int deleted, int backends, int others,
            double milliseconds);

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
