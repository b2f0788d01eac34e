namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>Cancels a request from which no byte came for a time: the peer is gone though the connection seems to stand.</summary>
internal sealed class SilenceGuard : IDisposable
{
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _linked;
    private TimeSpan _limit;

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

    /// <summary>Bytes came.</summary>
    public void Heard() => _silence.CancelAfter(_limit);

    public void Dispose()
    {
        _linked.Dispose();
        _silence.Dispose();
    }
}
