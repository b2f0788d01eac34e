using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>The status of the sync loop and of the watches that feed it.</summary>
public sealed class SyncStatusReader(SyncStatus sync, ClusterWatcher watcher, TimeProvider time)
{
    public bool Ready => sync.Ready && sync.Healthy;

    /// <param name="open">Whether the dataplane is open.</param>
    /// <returns>A sentence for each reason; none: the agent is ready.</returns>
    public IEnumerable<string> NotReady(bool open) => NotReady(sync, open);

    public SyncAnswer Read()
    {
        var last = sync.LastApplied;
        return new SyncAnswer
        {
            First = sync.FirstSync.IsCompleted,
            LastApplied = last,
            SinceSeconds = last is { } at ? Math.Round((time.GetUtcNow() - at).TotalSeconds, 1) : null,
            WaitingSeconds = sync.Waiting is { } waiting ? Math.Round(waiting.TotalSeconds, 1) : null,
            Watches = [.. watcher.States.Select(s => new WatchStatus(s.Kind, s.Connected, s.Synced, s.Objects, s.LastError))],
        };
    }

    internal static IEnumerable<string> NotReady(SyncStatus sync, bool open)
    {
        if (!open)
            yield return "the kernel's programs and tables are not open yet";
        if (!sync.FirstSync.IsCompleted)
            yield return "the cluster was not applied to the kernel yet";
        if (!sync.CniServing.IsCompleted)
            yield return "CNI requests are not served yet";
        if (sync.Hangs)
            yield return "the sync loop hangs in the kernel: its pass does not end";
        else if (!sync.Healthy)
            yield return "a change waits for too long to get into the kernel";
    }
}
