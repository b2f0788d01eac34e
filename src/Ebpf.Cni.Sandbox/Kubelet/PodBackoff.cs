namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Pauses that double. A sandbox is for the impatient: they start shorter than a real kubelet's.</summary>
internal sealed class PodBackoff(TimeProvider time, TimeSpan first, TimeSpan longest)
{
    private readonly TimeSpan _first = first;
    private TimeSpan _next = first;

    /// <summary>The pause that <see cref="WaitAsync"/> would make now.</summary>
    public TimeSpan Next => _next;

    public Task WaitAsync(CancellationToken ct)
    {
        var pause = _next;
        _next = pause * 2 < longest ? pause * 2 : longest;
        return Task.Delay(pause, time, ct);
    }

    public void Reset() => _next = _first;
}
