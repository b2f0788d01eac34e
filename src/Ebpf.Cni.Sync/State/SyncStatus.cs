namespace Ebpf.Cni.Sync.State;

/// <summary>How far the agent has come, and whether it keeps up. Thread-safe.</summary>
/// <param name="time">The clock.</param>
/// <param name="patience">How long a change may wait, and a pass of the loop may last.</param>
/// <param name="oldestUntaken">
/// When the oldest change that the loop has not even looked at arrived (TimeProvider.GetTimestamp);
/// null: there is none. Asked of the store, since a loop that hangs looks at nothing.
/// </param>
public sealed class SyncStatus(TimeProvider time, TimeSpan patience, Func<long?>? oldestUntaken = null)
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _firstSync = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _cniServing = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long? _oldestQueued;
    private long? _passBegan;
    private DateTimeOffset? _lastApplied;
    private bool _eligible = true;

    /// <summary>Completes when the cluster was applied to the kernel for the first time.</summary>
    public Task FirstSync => _firstSync.Task;

    /// <summary>Completes when CNI requests are served.</summary>
    public Task CniServing => _cniServing.Task;

    public bool Ready => FirstSync.IsCompleted && CniServing.IsCompleted;

    /// <summary>When an apply last left nothing pending; null before the first.</summary>
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
            var untaken = oldestUntaken?.Invoke();
            lock (_lock)
                return Since(_oldestQueued is { } queued && !(untaken < queued) ? queued : untaken);
        }
    }

    /// <summary>How long the loop's present pass has lasted; null between passes.</summary>
    public TimeSpan? Passing
    {
        get
        {
            lock (_lock)
                return Since(_passBegan);
        }
    }

    /// <summary>
    /// kube-proxy's rule: healthy while no change has waited for longer than the limit. A node without
    /// changes is healthy, unless a pass of the loop, which verifies and repeats too, does not end.
    /// </summary>
    public bool Healthy => !(Waiting > patience) && !Hangs;

    /// <summary>A pass of the loop has lasted for longer than the limit: it hangs in the kernel.</summary>
    public bool Hangs => Passing > patience;

    /// <summary>New traffic from outside may come to this node: it is not being deleted.</summary>
    public bool NodeEligible => Volatile.Read(ref _eligible);

    /// <summary>What the Node object says.</summary>
    public void SetEligible(bool eligible) => Volatile.Write(ref _eligible, eligible);

    /// <summary>A change, or a retry of a failed write, is pending.</summary>
    /// <param name="arrived">When it was heard of, or failed (TimeProvider.GetTimestamp).</param>
    public void Queued(long arrived)
    {
        lock (_lock)
            if (_oldestQueued is not { } since || arrived < since)
                _oldestQueued = arrived;
    }

    /// <summary>The loop begins a pass, whatever for.</summary>
    public void PassBegins()
    {
        lock (_lock)
            _passBegan = time.GetTimestamp();
    }

    public void PassEnds()
    {
        lock (_lock)
            _passBegan = null;
    }

    /// <summary>Everything queued is in the kernel.</summary>
    public void Applied()
    {
        lock (_lock)
            (_oldestQueued, _lastApplied) = (null, time.GetUtcNow());
        _firstSync.TrySetResult();
    }

    public void ServingCni() => _cniServing.TrySetResult();

    private TimeSpan? Since(long? then) => then is { } start ? time.GetElapsedTime(start) : null;
}
