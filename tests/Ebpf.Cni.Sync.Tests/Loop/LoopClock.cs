using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>Time that a test moves, and that knows who waits for it.</summary>
internal sealed class LoopClock : FakeTimeProvider
{
    private readonly ConcurrentDictionary<Waiter, DateTimeOffset> _waiting = [];
    private TaskCompletionSource _armed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public LoopClock() : base(DateTimeOffset.UnixEpoch.AddYears(50))
    {
    }

    /// <summary>Timers that have not fired.</summary>
    public int Timers => _waiting.Count;

    /// <summary>Completes when the next timer begins to wait.</summary>
    public Task Armed => Volatile.Read(ref _armed).Task;

    /// <summary>Until the next timer fires; null without one.</summary>
    public TimeSpan? Next => _waiting.Values.OfType<DateTimeOffset?>().Min() - GetUtcNow();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var waiter = new Waiter(this);
        _waiting[waiter] = GetUtcNow() + dueTime;
        // Removed before its callback runs: no timer means that the loop is at work.
        waiter.Timer = base.CreateTimer(
            s =>
            {
                _waiting.TryRemove(waiter, out _);
                callback(s);
            },
            state, dueTime, period);
        Interlocked.Exchange(ref _armed, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        return waiter;
    }

    private sealed class Waiter(LoopClock clock) : ITimer
    {
        public ITimer Timer { get; set; } = null!;

        public bool Change(TimeSpan dueTime, TimeSpan period) => Timer.Change(dueTime, period);

        public void Dispose()
        {
            clock._waiting.TryRemove(this, out _);
            Timer.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
