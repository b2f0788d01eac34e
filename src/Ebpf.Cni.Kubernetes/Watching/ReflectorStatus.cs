namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>The mutable side of <see cref="ReflectorState"/>: one writer, any reader.</summary>
internal sealed class ReflectorStatus(string kind, TimeProvider time)
{
    private readonly Lock _gate = new();
    private ReflectorState _state = new() { Kind = kind };
    private long _heard;

    public ReflectorState Read()
    {
        lock (_gate)
            return _heard == 0 ? _state : _state with { LastHeard = new DateTimeOffset(_heard, TimeSpan.Zero) };
    }

    public void Heard() => Interlocked.Exchange(ref _heard, time.GetUtcNow().UtcTicks);

    public void Change(Func<ReflectorState, ReflectorState> change)
    {
        lock (_gate)
            _state = change(_state);
    }
}
