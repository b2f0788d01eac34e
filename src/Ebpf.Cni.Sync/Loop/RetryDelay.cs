namespace Ebpf.Cni.Sync.Loop;

/// <summary>
/// How long to wait before the next attempt: doubling from a fifth of a second to half a minute, from the start again after a success.
/// </summary>
internal sealed class RetryDelay
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);
    private TimeSpan _next = First;

    public TimeSpan Next()
    {
        var delay = _next;
        _next = delay * 2 < Longest ? delay * 2 : Longest;
        return delay;
    }

    public void Reset() => _next = First;
}
