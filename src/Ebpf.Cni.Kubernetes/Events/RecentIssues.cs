using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Kubernetes.Events;

/// <summary>
/// Which issues were posted lately. Issues that last are reported again and again; one is posted once, and again after an hour (events
/// expire after one by default) while it lasts. Bounded: the oldest are forgotten first.
/// </summary>
internal sealed class RecentIssues(int capacity, TimeSpan memory, TimeProvider time)
{
    private readonly Dictionary<Key, long> _reportedAt = [];
    private readonly Queue<(Key Key, long At)> _order = [];

    /// <summary>True when it has to be posted, and remembers that it was.</summary>
    public bool IsNews(CompileIssue issue)
    {
        var now = time.GetTimestamp();
        while (_order.TryPeek(out var oldest) && (_order.Count > capacity || time.GetElapsedTime(oldest.At, now) >= memory))
            Forget(_order.Dequeue());
        // Without a uid the name has to identify the object.
        var key = new Key(issue.Uid.Length > 0 ? issue.Uid : $"{issue.Kind} {issue.Name}", issue.Reason, issue.Message);
        if (!_reportedAt.TryAdd(key, now))
            return false;
        _order.Enqueue((key, now));
        return true;
    }

    private void Forget((Key Key, long At) reported) => _reportedAt.Remove(reported.Key);

    private readonly record struct Key(string Object, string Reason, string Message);
}
