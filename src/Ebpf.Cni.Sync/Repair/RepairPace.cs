namespace Ebpf.Cni.Sync.Repair;

/// <summary>
/// How often what was taken away is put back: at once, but ever later where it
/// goes again each time, so that two that disagree do not keep a processor busy.
/// </summary>
internal sealed class RepairPace(TimeProvider time)
{
    private const int SeveralTimes = 4;
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1), Most = TimeSpan.FromSeconds(60);
    private long? _last;
    private int _inARow;

    /// <summary>Before the next repair.</summary>
    public TimeSpan Rest { get; private set; } = Least;

    /// <summary>Without a loss for so long, it is over.</summary>
    public TimeSpan Calm => Rest * 2;

    /// <summary>Until it is over, if nothing more is taken away.</summary>
    public TimeSpan UntilCalm =>
        _last is { } last && Calm - time.GetElapsedTime(last) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    /// <summary>What is put back goes again each time.</summary>
    public bool IsFought => _inARow >= SeveralTimes;

    /// <summary>Something is put back now.</summary>
    public void Repairing()
    {
        if (_last is { } last && time.GetElapsedTime(last) < Calm)
        {
            _inARow++;
            if (IsFought)
                Rest = Rest * 2 < Most ? Rest * 2 : Most;
        }
        else
        {
            Over();
        }

        _last = time.GetTimestamp();
    }

    /// <summary>Nothing was taken away for a while.</summary>
    public void Over() => (_inARow, Rest) = (1, Least);
}
