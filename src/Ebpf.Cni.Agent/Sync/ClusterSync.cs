using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>
/// The loop from the cluster to the kernel: the latest snapshot, compiled, applied. Changes that come during an apply are one change
/// after it; nothing else delays a change. What an apply owes is tried again with a growing delay; everything is read back now and then.
/// </summary>
public sealed partial class ClusterSync(
    SnapshotStore store, DataplaneHolder holder, NodeRanges ranges, IssueReport issues, SyncStatus status, SyncMetrics metrics,
    AgentOptions options, TimeProvider time, ILogger<ClusterSync> log) : BackgroundService
{
    private readonly NodeContext _node = new(options.NodeName);
    private readonly CompileCache _cache = new();
    private readonly RetryDelay _retry = new();
    private DesiredState _desired = DesiredState.Empty;
    private bool _first = true;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        _desired = DesiredState.Empty with { Ids = dataplane.Services.RestoredIds };
        var change = store.WaitForChangeAsync(stoppingToken).AsTask();
        await change;
        var (retryAt, verifyAt) = (long.MaxValue, After(options.VerifyPeriod));
        while (true)
        {
            if (change.IsCompleted)
            {
                Compile(await change);
                change = store.WaitForChangeAsync(stoppingToken).AsTask();
            }

            if (time.GetTimestamp() >= verifyAt)
            {
                Verify(dataplane);
                verifyAt = After(options.VerifyPeriod);
            }

            retryAt = Apply(dataplane) is { } delay ? After(delay) : long.MaxValue;
            await SleepAsync(change, Math.Min(retryAt, verifyAt), stoppingToken);
        }
    }

    private void Compile(SnapshotChange change)
    {
        status.Queued(change.Arrived);
        metrics.Queued(change.Arrived);
        var started = time.GetTimestamp();
        _desired = ClusterCompiler.Compile(change.Cluster, _node, _desired.Ids, _cache);
        metrics.Compiled(started);
        ranges.Take(change.Cluster);
    }

    /// <summary>The delay before the next attempt when something is owed.</summary>
    private TimeSpan? Apply(NodeDataplane dataplane)
    {
        var started = time.GetTimestamp();
        var services = dataplane.Services.Apply(_desired);
        var routes = ApplyRoutes(dataplane.Routes);
        metrics.Applied(started, services, routes);
        issues.Report(
            [.. _desired.Issues, .. store.Undecodable, .. services.Refusals.Select(Issue), .. routes.Errors.Select(Issue)]);
        foreach (var error in services.Errors)
            Log.Failed(log, error.What, error.Cause.Message);
        if (services.Errors.Length > 0)
            return _retry.Next();
        Done(services, routes.Replaced + routes.Deleted, started);
        if (routes.Errors.Length > 0)
            return Earlier(_retry.Next(), services.RetryAfter);
        _retry.Reset();
        return services.Complete ? null : services.RetryAfter;
    }

    private static TimeSpan Earlier(TimeSpan one, TimeSpan? other) => other < one ? other.Value : one;

    /// <summary>
    /// A route that cannot be set is an issue that is tried again, not ill health: one node with an address out of reach must not take
    /// all others out of service.
    /// </summary>
    private RouteResult ApplyRoutes(RouteTable routes)
    {
        try
        {
            return routes.Apply(_desired.Routes);
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            return new RouteResult(0, 0, [new ApplyError("bringing the routes up to date", e)]);
        }
    }

    private void Done(ApplyResult services, int routes, long started)
    {
        // What does not fit, or cannot be reached, is an issue, not ill health: the loop has done what can be done.
        status.Applied();
        metrics.InSync();
        if (services.KernelWrites + routes > 0)
        {
            Log.Applied(log, services.FrontendsAdded, services.FrontendsSwitched, services.FrontendsDeleted, services.BackendsWritten, routes,
                time.GetElapsedTime(started).TotalMilliseconds);
        }

        if (!_first)
            return;
        _first = false;
        var current = store.Current;
        Log.FirstSync(log, current.Services.Count, _desired.Frontends.Length, _desired.Segments.Sum(s => s.Backends.Length), _desired.Routes.Length,
            _desired.Issues.Length, services.KernelWrites + routes, time.GetElapsedTime(started).TotalMilliseconds);
        // The first lists leave much behind that never comes again.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
    }

    private void Verify(NodeDataplane dataplane)
    {
        try
        {
            var drift = dataplane.Services.Verify();
            metrics.Verified(drift);
            if (drift.Total > 0)
                Log.Drift(log, drift.Missing, drift.Unexpected, drift.Different, drift.DamagedSegments);
        }
        catch (KernelException e)
        {
            Log.Failed(log, "reading the service tables back", e.Message);
        }
    }

    private async Task SleepAsync(Task change, long until, CancellationToken cancel)
    {
        if (change.IsCompleted)
            return;
        var left = TimeSpan.FromSeconds(Math.Max(0, until - time.GetTimestamp()) / (double)time.TimestampFrequency);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        await Task.WhenAny(change, Task.Delay(left, time, stop.Token));
        await stop.CancelAsync();
        cancel.ThrowIfCancellationRequested();
    }

    private long After(TimeSpan delay) => time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);

    private CompileIssue Issue(TableFull full) => new("Service", full.Service, UidOf(full), "TableFull", full.Message);

    private CompileIssue Issue(ApplyError error) => new(
        "Node", new ObjectName("", options.NodeName), store.Current.Nodes.TryGetValue(options.NodeName, out var node) ? node.Uid : "",
        "RouteFailed", $"{error}; it is tried again.");

    private string UidOf(TableFull full) => store.Current.Services.TryGetValue(full.Service, out var service) ? service.Uid : "";

    private static partial class Log
    {
        [LoggerMessage(3331, LogLevel.Information,
            "first sync: {Services} services as {Frontends} frontends with {Backends} backends, {Routes} routes, {Issues} issues; {Writes} writes to the kernel, {Milliseconds:0.0} ms")]
        public static partial void FirstSync(
            ILogger log, int services, int frontends, int backends, int routes, int issues, int writes, double milliseconds);

        [LoggerMessage(3332, LogLevel.Debug,
            "applied: frontends +{Added} ~{Switched} -{Deleted}, {Backends} backends written, {Routes} routes changed, {Milliseconds:0.0} ms")]
        public static partial void Applied(ILogger log, int added, int switched, int deleted, int backends, int routes, double milliseconds);

        [LoggerMessage(3333, LogLevel.Error, "{What} failed and is tried again: {Cause}")]
        public static partial void Failed(ILogger log, string what, string cause);

        [LoggerMessage(3334, LogLevel.Warning,
            "the kernel's service tables were not as left: {Missing} missing, {Unexpected} unexpected, {Different} different, {Damaged} damaged segments; repaired")]
        public static partial void Drift(ILogger log, int missing, int unexpected, int different, int damaged);
    }
}
