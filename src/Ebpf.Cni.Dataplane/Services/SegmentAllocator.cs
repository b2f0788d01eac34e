namespace Ebpf.Cni.Dataplane.Services;

/// <summary>What became of a request for space.</summary>
public enum AllocationOutcome
{
    Allocated,

    /// <summary>
    /// It will fit once what rests now is free, and that could not be waited
    /// for: try again after <see cref="SegmentAllocator.NextRelease"/>.
    /// </summary>
    Resting,

    /// <summary>It does not fit, waiting does not help.</summary>
    Full,
}

/// <summary>
/// Hands out extents of the backend table. A released extent rests before it is handed out again: a program that
/// read a frontend just before it was switched may still be reading the old segment. The rest is over when all
/// programs have ended that ran at the release. That is waited for when the space is needed, once for all that
/// rests; without need, a time far longer than any program runs does. Not thread-safe; every operation is O(log n).
/// </summary>
public sealed class SegmentAllocator
{
    private readonly FreeExtents _free = new();      // usable now
    private readonly FreeExtents _eventual = new();  // usable now or after its rest
    private readonly Queue<(Extent Extent, long Since)> _resting = new();
    private readonly TimeSpan _rest;
    private readonly TimeProvider _time;
    private readonly Func<bool>? _waitForReaders;

    /// <param name="capacity">Elements of the table.</param>
    /// <param name="rest">
    /// How long released elements stay untouched (grace period) if there is no other proof that no program reads them.
    /// </param>
    /// <param name="time">The clock that measures the rest.</param>
    /// <param name="waitForReaders">
    /// Waits until no program runs any more that runs now; false if the kernel cannot wait for that. Null: the grace period alone counts.
    /// </param>
    public SegmentAllocator(uint capacity, TimeSpan rest, TimeProvider time, Func<bool>? waitForReaders = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(capacity);
        ArgumentOutOfRangeException.ThrowIfLessThan(rest, TimeSpan.Zero);
        ArgumentNullException.ThrowIfNull(time);
        Capacity = capacity;
        _rest = rest;
        _time = time;
        _waitForReaders = waitForReaders;
        _free.Put(new Extent(0, capacity));
        _eventual.Put(new Extent(0, capacity));
    }

    public uint Capacity { get; }

    /// <summary>Elements handed out and not released.</summary>
    public uint Used => Capacity - _eventual.Total;

    /// <summary>Elements released whose rest is not known to be over.</summary>
    public uint Resting => _eventual.Total - _free.Total;

    /// <summary>Time until the oldest resting extent is free (zero or more); null when nothing rests.</summary>
    public TimeSpan? NextRelease
    {
        get
        {
            if (!_resting.TryPeek(out var head))
                return null;
            var left = _rest - _time.GetElapsedTime(head.Since);
            return left > TimeSpan.Zero ? left : TimeSpan.Zero;
        }
    }

    /// <summary>Best fit for <paramref name="count"/> (&gt; 0) neighbouring elements.</summary>
    public AllocationOutcome TryAllocate(uint count, out Extent extent)
    {
        ArgumentOutOfRangeException.ThrowIfZero(count);
        WakeRested();
        if (!_free.TryTake(count, out extent))
        {
            if (_eventual.Largest < count)
                return AllocationOutcome.Full;
            if (!TryWakeAll() || !_free.TryTake(count, out extent))
                return AllocationOutcome.Resting;
        }
        _eventual.Take(extent);
        return AllocationOutcome.Allocated;
    }

    /// <summary>Marks elements as used that a table found at start uses.</summary>
    /// <exception cref="InvalidOperationException">Some are in use or at rest.</exception>
    public void Reserve(Extent extent)
    {
        CheckInside(extent);
        _free.Take(extent);
        _eventual.Take(extent);
    }

    /// <summary>Gives elements back that a reader may still be reading; they rest first.</summary>
    /// <exception cref="InvalidOperationException">Some are not in use.</exception>
    public void Release(Extent extent)
    {
        CheckInside(extent);
        _eventual.Put(extent);
        _resting.Enqueue((extent, _time.GetTimestamp()));
    }

    /// <summary>Gives elements back that no frontend ever pointed to; they are free at once.</summary>
    /// <exception cref="InvalidOperationException">Some are not in use.</exception>
    public void Cancel(Extent extent)
    {
        CheckInside(extent);
        _eventual.Put(extent);
        _free.Put(extent);
    }

    private void WakeRested()
    {
        while (_resting.TryPeek(out var head) && _time.GetElapsedTime(head.Since) >= _rest)
        {
            _resting.Dequeue();
            _free.Put(head.Extent);
        }
    }

    /// <summary>Ends the rest of all that was released before now.</summary>
    private bool TryWakeAll()
    {
        if (_waitForReaders is null || !_waitForReaders())
            return false;
        while (_resting.TryDequeue(out var rested))
            _free.Put(rested.Extent);
        return true;
    }

    private void CheckInside(Extent extent)
    {
        if (extent.Count == 0 || (ulong)extent.Offset + extent.Count > Capacity)
            throw new ArgumentOutOfRangeException(nameof(extent), extent, $"not inside a table of {Capacity}");
    }
}
