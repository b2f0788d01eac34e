namespace Ebpf.Cni.Sync.Loop;

/// <summary>How a run ended.</summary>
/// <param name="Failed">It is to be repeated, after a back-off that grows while runs fail.</param>
/// <param name="Again">It is to be repeated after this time at the latest, failed or not; null: there is no reason of its own.</param>
internal readonly record struct RunOutcome(bool Failed, TimeSpan? Again = null);

/// <summary>
/// Decides when something runs, and how often at most, with the semantics of kube-proxy's runner of this name
/// (pkg/proxy/runner, since Kubernetes 1.34). A request after quiet runs at once. From the end of a run to the
/// beginning of the next there is a minimum interval; requests in it are one run after it. A run that failed is
/// repeated after a back-off, unless another reason comes first. A full run comes once in a maximum interval.
/// </summary>
/// <remarks>
/// Two differences. A caller that waits for a run does not wait for the interval as well. And the maximum interval
/// counts from the last full run. Kube-proxy's counts from the last run of any kind, so in a busy cluster it never ends.
/// </remarks>
internal sealed class BoundedFrequencyRunner(TimeSpan minInterval, TimeSpan maxInterval, TimeProvider time)
{
    private readonly RetryDelay _retry = new();

    /// <summary>Runs until cancelled. One run at a time; what it throws ends the loop.</summary>
    /// <param name="requested">A task that is completed while a run is wanted; the run is to take the request back.</param>
    /// <param name="urgent">The same for a request that the minimum interval does not hold up.</param>
    /// <param name="run">The work; true: a full run.</param>
    /// <param name="cancel">Ends the loop between two runs.</param>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task RunAsync(Func<Task> requested, Func<Task> urgent, Func<bool, RunOutcome> run, CancellationToken cancel)
    {
        var (againAt, fullAt) = (long.MaxValue, After(maxInterval));
        while (true)
        {
            await WaitAsync(requested(), Math.Min(againAt, fullAt), cancel);
            var full = time.GetTimestamp() >= fullAt;
            againAt = DelayAfter(run(full)) is { } delay ? After(delay) : long.MaxValue;
            if (full)
                fullAt = After(maxInterval);
            await WaitAsync(urgent(), After(minInterval), cancel);
        }
    }

    private TimeSpan? DelayAfter(RunOutcome outcome)
    {
        if (!outcome.Failed)
        {
            _retry.Reset();
            return outcome.Again;
        }

        var delay = _retry.Next();
        return outcome.Again < delay ? outcome.Again : delay;
    }

    private async Task WaitAsync(Task signal, long until, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        // A timer counts milliseconds, and may be early by a part of one.
        while (!signal.IsCompleted && time.GetTimestamp() is var now && now < until)
        {
            var left = TimeSpan.FromMilliseconds(Math.Ceiling(time.GetElapsedTime(now, until).TotalMilliseconds));
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            await Task.WhenAny(signal, Task.Delay(left, time, stop.Token));
            await stop.CancelAsync();
            cancel.ThrowIfCancellationRequested();
        }
    }

    private long After(TimeSpan delay) => time.GetTimestamp() + (long)(delay.TotalSeconds * time.TimestampFrequency);
}
