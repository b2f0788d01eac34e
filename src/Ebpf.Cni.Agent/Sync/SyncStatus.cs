namespace Ebpf.Cni.Agent.Sync;

/// <summary>How far the agent has come, and whether it keeps up. Thread-safe.</summary>
public sealed class SyncStatus(TimeProvider time, TimeSpan patience)
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _firstSync = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cniServing = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _oldestQueued;
    private DateTimeOffset? _lastApplied;
    private bool _eligible = true;

    /// <summary>Completes when the cluster was applied to the kernel for the first time.</summary>
    public Task FirstSync => _firstSync.Task;

    /// <summary>Completes when CNI requests are served.</summary>
    public Task CniServing => _cniServing.Task;

    public bool Ready => FirstSync.IsCompleted && CniServing.IsCompleted;

    /// <summary>When an apply last left nothing owed; null before the first.</summary>
    public DateTimeOffset? LastApplied
    {
        get
        {
            lock (_lock)
                return _lastApplied;
        }
    }

    /// <summary>How long the oldest change that is not in the kernel has waited; null when nothing waits.</summary>
    public TimeSpan? Waiting
    {
        get
        {
            lock (_lock)
                return _oldestQueued is { } since ? time.GetElapsedTime(since) : null;
        }
    }

    /// <summary>kube-proxy's rule: healthy while no change has waited for longer than the limit. A node without changes is healthy.</summary>
    public bool Healthy
    {
        get
        {
            lock (_lock)
                return _oldestQueued is not { } since || time.GetElapsedTime(since) <= patience;
        }
    }

    /// <summary>New traffic from outside may come to this node: it is not being deleted.</summary>
    public bool NodeEligible => Volatile.Read(ref _eligible);

    /// <summary>What the Node object says.</summary>
    public void SetEligible(bool eligible) => Volatile.Write(ref _eligible, eligible);

    /// <summary>A change is to be applied.</summary>
    /// <param name="arrived">When it was heard of (TimeProvider.GetTimestamp).</param>
    public void Queued(long arrived)
    {
        lock (_lock)
            if (_oldestQueued is not { } since || arrived < since)
                _oldestQueued = arrived;
    }

    /// <summary>Everything queued is in the kernel.</summary>
    public void Applied()
    {
        lock (_lock)
            (_oldestQueued, _lastApplied) = (null, time.GetUtcNow());
        _firstSync.TrySetResult();
    }

    public void ServingCni() => _cniServing.TrySetResult();
}
