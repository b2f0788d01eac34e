namespace Ebpf.Cni.Kubernetes.Events;

/// <summary>So many at once, then one each interval.</summary>
internal sealed class TokenBucket(int burst, TimeSpan interval, TimeProvider time)
{
    private double _tokens = burst;
    private long _filled = time.GetTimestamp();

    public bool TryTake()
    {
        var now = time.GetTimestamp();
        _tokens = Math.Min(burst, _tokens + (time.GetElapsedTime(_filled, now) / interval));
        _filled = now;
        if (_tokens < 1)
            return false;
        _tokens--;
        return true;
    }
}
