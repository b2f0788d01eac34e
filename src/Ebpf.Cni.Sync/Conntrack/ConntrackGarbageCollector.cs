using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Conntrack;

/// <summary>Goes through the connection table now and then: what is finished goes, what lives is counted.</summary>
public sealed partial class ConntrackGarbageCollector(
    DataplaneHolder holder, AppliedState applied, IConntrackObserver observer, SyncOptions options, TimeProvider time,
    ILogger<ConntrackGarbageCollector> log) : BackgroundService
{
    private SweepResult? _last;

    /// <summary>What the last pass found; null before the first.</summary>
    public SweepResult? Last => Volatile.Read(ref _last);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var dataplane = await holder.Opened.WaitAsync(stoppingToken);
        using var timer = new PeriodicTimer(options.ConntrackSweepPeriod, time);
        do
            await Task.Run(() => Sweep(dataplane), stoppingToken);
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    private void Sweep(NodeDataplane dataplane)
    {
        try
        {
            var started = time.GetTimestamp();
            var result = dataplane.Conntrack.Sweep();
            Volatile.Write(ref _last, result);
            observer.Swept(result, time.GetElapsedTime(started));
            observer.Counted(result.Live, dataplane.Stats.Read(), applied.Names);
        }
        catch (KernelException e)
        {
            Log.Failed(log, e.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3411, LogLevel.Error, "conntrack: garbage collection failed: {Cause}")]
        public static partial void Failed(ILogger log, string cause);
    }
}
