namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>
/// Exponential delays with jitter: each is between half and all of a time that doubles with every failure, up to a limit.
/// </summary>
internal sealed class Backoff(TimeSpan first, TimeSpan longest, Random random)
{
    /// <summary>A server that needs longer says so again; one that is well again is not left alone for minutes.</summary>
    private static readonly TimeSpan MaxServerWish = TimeSpan.FromSeconds(25);
    private int _failures;

    /// <summary>The next delay, at least what the server asked for; that, too, is spread so that not all nodes come back at once.</summary>
    public TimeSpan Next(TimeSpan? atLeast = null)
    {
        var full = first * Math.Pow(2, _failures);
        if (full < longest)
            _failures++;
        else
            full = longest;
        var delay = full * (0.5 + (random.NextDouble() / 2));
        if (atLeast is not { } minimum || delay >= minimum)
            return delay;
        var capped = minimum < MaxServerWish ? minimum : MaxServerWish;
        return capped * (1 + (random.NextDouble() / 4));
    }

    public void Reset() => _failures = 0;
}
