namespace Ebpf.Cni.Agent.Sync;

/// <summary>
/// Gives back what a storm of changes has left in memory. A collector that is asked for nothing collects nothing: what the last objects of a storm
/// replaced stays until the next one. So everything is collected once when much was allocated and nothing has been applied for a while.
/// </summary>
public sealed class QuietMemory(SyncStatus status, TimeProvider time) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>Bytes allocated since the last time. Less than that is not worth looking at everything.</summary>
    public const long Much = 32L << 20;

    private DateTimeOffset? _applied;
    private long _collectedAt;

    /// <summary>Bytes allocated since the process began.</summary>
    internal Func<long> Allocated { get; init; } = () => GC.GetTotalAllocatedBytes();

    internal Action Collect { get; init; } = () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await status.FirstSync.WaitAsync(stoppingToken);
        using var tick = new PeriodicTimer(Period, time);
        while (await tick.WaitForNextTickAsync(stoppingToken))
            Look();
    }

    /// <summary>Of each period.</summary>
    internal void Look()
    {
        var applied = status.LastApplied;
        var quiet = applied == _applied;
        _applied = applied;
        if (!quiet || Allocated() - _collectedAt < Much)
            return;
        Collect();
        _collectedAt = Allocated();
    }
}
