using System.Threading.Channels;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Apply;

namespace Ebpf.Cni.Sync.Conntrack;

/// <summary>
/// Deletes conntrack entries of removed backends and destroys their connected UDP sockets, which no packet program ever sees
/// again. Immediately, beside the sync loop: a table with a million entries and hundreds of namespaces must not hold up the next change.
/// </summary>
public sealed partial class ConntrackCleaner(
    DataplaneHolder holder, IConntrackObserver observer, TimeProvider time, ILogger<ConntrackCleaner> log) : BackgroundService
{
    private const int Attempts = 5;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly Channel<RemovedBackend> _gone =
        Channel.CreateUnbounded<RemovedBackend>(new UnboundedChannelOptions { SingleReader = true });

    /// <summary>Never blocks.</summary>
    public void Ended(IEnumerable<RemovedBackend> backends)
    {
        ArgumentNullException.ThrowIfNull(backends);
        foreach (var backend in backends)
            _gone.Writer.TryWrite(backend);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        while (await _gone.Reader.WaitToReadAsync(stoppingToken))
        {
            var batch = new HashSet<RemovedBackend>();
            while (_gone.Reader.TryRead(out var backend))
                batch.Add(backend);
            for (var attempt = 1; !await Task.Run(() => TryEnd(dataplane, batch), stoppingToken) && attempt < Attempts; attempt++)
                await Task.Delay(RetryAfter, time, stoppingToken);
        }
    }

    private bool TryEnd(Dataplane.NodeDataplane dataplane, HashSet<RemovedBackend> batch)
    {
        try
        {
            var started = time.GetTimestamp();
            var entries = dataplane.Conntrack.Purge(batch);
            observer.Purged(entries, time.GetElapsedTime(started));
            var sockets = dataplane.StaleSockets.Destroy(batch);
            observer.Destroyed(sockets.Destroyed);
            foreach (var error in sockets.Errors)
                Log.NoSockets(log, error.What, error.Cause.Message);
            if (entries + sockets.Destroyed > 0)
                Log.Ended(log, batch.Count, entries, sockets.Destroyed, time.GetElapsedTime(started).TotalMilliseconds);
            return true;
        }
        catch (Exception e) when (e is KernelException or NetlinkFormatException)
        {
            Log.Failed(log, e.Message);
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3351, LogLevel.Information,
            "conntrack: {Backends} backends removed, {Entries} entries deleted, {Sockets} sockets destroyed, {Milliseconds:0.0} ms")]
        public static partial void Ended(ILogger log, int backends, int entries, int sockets, double milliseconds);

        [LoggerMessage(3352, LogLevel.Error, "conntrack: entries and sockets of removed backends cannot be deleted: {Cause}")]
        public static partial void Failed(ILogger log, string cause);

        [LoggerMessage(3353, LogLevel.Warning, "sockets of removed backends not destroyed: {Where} failed: {Cause}")]
        public static partial void NoSockets(ILogger log, string where, string cause);
    }
}
