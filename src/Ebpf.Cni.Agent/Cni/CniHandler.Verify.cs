using Ebpf.Cni.Plugin.Protocol;

namespace Ebpf.Cni.Agent.Cni;

/// <content>What others may have taken away from living pods.</content>
public sealed partial class CniHandler
{
    /// <summary>
    /// Looks at every pod's programs and table entries, and puts back what is missing: whoever deletes an interface's qdisc takes the filters along. A pod without them has no services, and nobody
    /// checks what it sends.
    /// </summary>
    /// <returns>How many pods had lost something.</returns>
    public async Task<int> VerifyAsync(CancellationToken cancel)
    {
        var repaired = 0;
        foreach (var known in store.All)
            repaired += await ExclusivelyAsync(known.Key, needsRanges: false, () => Verify(known.Key), cancel) ? 1 : 0;
        return repaired;
    }

    private bool Verify(EndpointKey key)
    {
        try
        {
            if (store.Find(key) is not { Ready: true } record || network.FindHostLink(record) is not { } link)
                return false;
            var differences = programs.Differences(record, link);
            if (differences.Count == 0)
                return false;
            Log.Lost(log, key, record.Pod, string.Join("; ", differences));
            programs.Attach(link);
            programs.Publish(record, link);
            return true;
        }
        catch (Exception e) when (e is not CniException)
        {
            Log.NotVerified(log, key, e.Message);
            return false;
        }
    }
}
