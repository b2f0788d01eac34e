using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>
/// Opens the dataplane while the watches already list: loading programs takes as long as the first answers. A component that needs the
/// dataplane awaits it. When it cannot be opened, the agent logs that once and stops.
/// </summary>
public sealed partial class DataplaneHolder(
    DataplaneOptions options, EndpointStore endpoints, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<DataplaneHolder> log)
    : IHostedService, IDisposable
{
    /// <summary>The root of a cgroup hierarchy has this inode number.</summary>
    private const ulong RootCgroup = 1;

    private readonly TaskCompletionSource<NodeDataplane> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Never completes when it cannot be opened: the host stops then.</summary>
    public Task<NodeDataplane> Opened => _opened.Task;

    public bool Failed { get; private set; }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _ = Task.Run(Open, CancellationToken.None);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Closes descriptors; the dataplane goes on working.</summary>
    public void Dispose()
    {
        if (_opened.Task.IsCompletedSuccessfully)
            _opened.Task.Result.Dispose();
    }

    private void Open()
    {
        try
        {
            var started = time.GetTimestamp();
            var dataplane = NodeDataplane.Open(options, time);
            // Before the first apply, which asks what pods' sockets are connected to.
            dataplane.StaleSockets.Namespaces = () => endpoints.All.Select(e => e.Netns);
            Report(dataplane, time.GetElapsedTime(started));
            _opened.SetResult(dataplane);
        }
        catch (Exception e)
        {
            Failed = true;
            var expected = e is DataplaneException or BpfLoadException or KernelException or InvalidOperationException or IOException
                or UnauthorizedAccessException;
            Log.Failed(log, e.Message, expected ? null : e);
            // Not before it has started: a host that is stopped while it starts calls that an error of its own.
            lifetime.ApplicationStarted.Register(lifetime.StopApplication);
        }
    }

    private void Report(NodeDataplane dataplane, TimeSpan taken)
    {
        Log.Features(log, string.Join(", ", dataplane.Features.Findings.Where(f => f.Present).Select(f => f.Name)));
        foreach (var missing in dataplane.Features.Findings.Where(f => !f.Present))
            Log.Missing(log, missing.Name, missing.AbsenceCosts);
        foreach (var notice in dataplane.Notices)
            Log.Notice(log, notice);
        Log.Opened(log, options.BpffsRoot, taken.TotalMilliseconds, dataplane.Services.Restored.Frontends,
            dataplane.Adoption.Adopted.Length);
        if (dataplane.Services.Restored.Broken is > 0 and var broken)
            Log.Broken(log, broken);
        Log.Tables(log, string.Join(", ", dataplane.Usage().Select(u => $"{u.Table} {u.Entries} of {u.Size}")));
        if (options.SocketLb == SocketLbMode.Off)
            Log.ByPacket(log);
        else if (options.SocketLb == SocketLbMode.HostOnly)
            Log.ByHostSocket(log, options.CgroupRoot);
        else
        {
            var isRoot = CgroupDirectory.Open(options.CgroupRoot).Id == RootCgroup;
            Log.BySocket(log, options.CgroupRoot, isRoot ? "the root" : "a subtree only");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3301, LogLevel.Information,
            "dataplane opened at {Root} in {Milliseconds:0} ms: {Frontends} frontends and {Pods} pods restored")]
        public static partial void Opened(ILogger log, string root, double milliseconds, int frontends, int pods);

        [LoggerMessage(3302, LogLevel.Warning, "{Notice}")]
        public static partial void Notice(ILogger log, string notice);

        [LoggerMessage(3303, LogLevel.Information, "kernel features present: {Features}")]
        public static partial void Features(ILogger log, string features);

        [LoggerMessage(3304, LogLevel.Warning, "kernel feature missing: {Feature}: {Cost}")]
        public static partial void Missing(ILogger log, string feature, string cost);

        [LoggerMessage(3305, LogLevel.Warning,
            "service table: {Count} frontends reference backends of another Service; the first sync repairs them")]
        public static partial void Broken(ILogger log, int count);

        [LoggerMessage(3306, LogLevel.Information, "table usage: {Tables}")]
        public static partial void Tables(ILogger log, string tables);

        [LoggerMessage(3307, LogLevel.Information,
            "Services are translated at sockets below cgroup {Cgroup} ({Reach}); other traffic per packet at pods' interfaces")]
        public static partial void BySocket(ILogger log, string cgroup, string reach);

        [LoggerMessage(3308, LogLevel.Information,
            "Services are translated per packet, at pods' interfaces and the uplinks (socket-lb off)")]
        public static partial void ByPacket(ILogger log);

        [LoggerMessage(3310, LogLevel.Information,
            "Services are translated at the node's own sockets below cgroup {Cgroup}, and per packet for pods (socket-lb hostOnly)")]
        public static partial void ByHostSocket(ILogger log, string cgroup);

        [LoggerMessage(3309, LogLevel.Critical, "the dataplane cannot be opened, the agent stops: {Cause}")]
        public static partial void Failed(ILogger log, string cause, Exception? e);
    }
}
