using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>
/// Gives back what a storm of changes has left in memory. Without allocations nothing is collected: what the last objects of a storm
/// replaced stays until the next one. So everything is collected once when much was allocated since the last time, and little in the
/// last period.
/// </summary>
public sealed class QuietMemory(SyncStatus status, TimeProvider time) : BackgroundService
{
    public static readonly TimeSpan Period = TimeSpan.FromSeconds(10);

    /// <summary>Bytes allocated since the last collection. Less than that is not worth looking at everything.</summary>
    public const long Much = 32L << 20;

    /// <summary>Bytes. A period with more is no quiet one.</summary>
    public const long Little = 4L << 20;

    private long _collectedAt;
    private long _lookedAt;

    /// <summary>Bytes allocated since the process began.</summary>
    internal Func<long> Allocated { get; init; } = () => GC.GetTotalAllocatedBytes();

    internal Action Collect { get; init; } =
        () => GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);

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
        var allocated = Allocated();
        var quiet = allocated - _lookedAt <= Little;
        _lookedAt = allocated;
        if (!quiet || allocated - _collectedAt < Much)
            return;
        Collect();
        _collectedAt = _lookedAt = Allocated();
    }
}
