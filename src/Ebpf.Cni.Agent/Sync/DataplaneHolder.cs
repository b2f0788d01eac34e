using Ebpf.Cni.Dataplane;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>
/// Opens the dataplane while the watches already list: loading programs takes as long as the first answers. Whoever needs the dataplane
/// awaits it, and fails with it.
/// </summary>
public sealed partial class DataplaneHolder(DataplaneOptions options, TimeProvider time, ILogger<DataplaneHolder> log) : IHostedService, IDisposable
{
    private readonly TaskCompletionSource<NodeDataplane> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<NodeDataplane> Opened => _opened.Task;

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
            foreach (var notice in dataplane.Notices)
                Log.Notice(log, notice);
            Log.Opened(log, options.BpffsRoot, (int)time.GetElapsedTime(started).TotalMilliseconds,
                dataplane.Services.RestoredIds.Restored.Count, dataplane.Adoption.Adopted.Length);
            _opened.SetResult(dataplane);
        }
        catch (Exception e)
        {
            _opened.SetException(e);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3301, LogLevel.Information, "dataplane open at {Root} after {Milliseconds} ms: {Frontends} frontends and {Pods} pods were there")]
        public static partial void Opened(ILogger log, string root, int milliseconds, int frontends, int pods);

        [LoggerMessage(3302, LogLevel.Warning, "{Notice}")]
        public static partial void Notice(ILogger log, string notice);
    }
}
