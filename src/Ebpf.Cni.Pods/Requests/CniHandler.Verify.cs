using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <content>Verification and repair of running pods.</content>
public sealed partial class CniHandler
{
    /// <summary>
    /// Verifies every pod's routes, neighbours, programs and table entries, and restores missing ones: deleting an interface's qdisc
    /// deletes its filters. Without them a pod has no Services and no source check.
    /// </summary>
    /// <returns>How many pods had lost something.</returns>
    public async Task<int> VerifyAsync(CancellationToken cancel)
    {
        var repaired = await ReconnectAsync(cancel);
        foreach (var known in store.All)
            repaired += await ExclusivelyAsync(known.Key, needsRanges: false, () => Verify(known.Key), cancel) ? 1 : 0;
        return repaired;
    }

    /// <summary>
    /// Restores the node's side of running pods: flushed routes and neighbours, an interface set down; and follows a changed MAC address.
    /// Cheap where nothing is missing.
    /// </summary>
    /// <returns>How many pods had lost something.</returns>
    public async Task<int> ReconnectAsync(CancellationToken cancel)
    {
        var repaired = 0;
        foreach (var (endpoint, what) in await Task.Run(Disconnected, cancel))
            repaired += await ExclusivelyAsync(endpoint.Key, needsRanges: false, () => Reconnect(endpoint, what), cancel) ? 1 : 0;
        return repaired;
    }

    private IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected()
    {
        try
        {
            return network.Disconnected([.. store.All.Where(e => e.Ready)]);
        }
        catch (Exception e) when (e is not CniException)
        {
            Log.NotCompared(log, e.Message);
            return [];
        }
    }

    private bool Reconnect(EndpointRecord seen, string what)
    {
        try
        {
            // Under its lock: an ADD or a DEL may have changed everything meanwhile. What is there
            // already is only confirmed: a second look would be one at all routes for each pod.
            if (store.Find(seen.Key) is not { Ready: true } record || record.Number != seen.Number
                || network.FindHostLink(record) is not { } link)
                return false;
            Log.Lost(log, record.Key, record.Pod, what);
            record = Follow(record, link);
            network.ConnectHost(record, link);
            return true;
        }
        catch (Exception e) when (e is not CniException)
        {
            Log.NotVerified(log, seen.Key, e.Message);
            return false;
        }
    }

    /// <summary>
    /// MAC addresses of interfaces may change at any time (udev's MACAddressPolicy, the tuning plugin): entries and neighbours follow.
    /// </summary>
    private EndpointRecord Follow(EndpointRecord record, HostLink link)
    {
        var current = network.Current(record);
        if (ReferenceEquals(current, record))
            return record;
        store.Save(current);
        programs.Publish(current, link);
        network.ConfigurePod(current);
        return current;
    }

    private bool Verify(EndpointKey key)
    {
        try
        {
            if (store.Find(key) is not { Ready: true } record || network.FindHostLink(record) is not { } link)
                return false;
            record = Follow(record, link);
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
