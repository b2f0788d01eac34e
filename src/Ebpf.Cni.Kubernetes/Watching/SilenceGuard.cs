namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>
/// Cancels a request on which nothing happens for a time: the peer is gone though the connection seems to stand, or it only trickles.
/// Bytes count once there are <see cref="LeastProgress"/> of them, so that a byte every few seconds does not hold a request for ever.
/// </summary>
internal sealed class SilenceGuard : IDisposable
{
    /// <summary>Bytes within the limit that are progress in themselves.</summary>
    public const int LeastProgress = 4 << 10;

    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _linked;
    private TimeSpan _limit;
    private long _bytes;

    public SilenceGuard(TimeSpan limit, TimeProvider time, CancellationToken ct)
    {
        _limit = limit;
        _silence = new CancellationTokenSource(limit, time);
        _linked = CancellationTokenSource.CreateLinkedTokenSource(ct, _silence.Token);
    }

    /// <summary>How long silence may last; a change counts from now.</summary>
    public TimeSpan Limit
    {
        get => _limit;
        set
        {
            if (value == _limit)
                return;
            _limit = value;
            Heard();
        }
    }

    /// <summary>Cancelled by silence or by the caller.</summary>
    public CancellationToken Token => _linked.Token;

    public bool Tripped => _silence.IsCancellationRequested;

    /// <summary>Something complete came: an answer's head, a watch's line.</summary>
    public void Heard()
    {
        _bytes = 0;
        _silence.CancelAfter(_limit);
    }

    /// <summary>Bytes of something incomplete came.</summary>
    public void Heard(long bytes)
    {
        _bytes += bytes;
        if (_bytes >= LeastProgress)
            Heard();
    }

    public void Dispose()
    {
        _linked.Dispose();
        _silence.Dispose();
    }
}
