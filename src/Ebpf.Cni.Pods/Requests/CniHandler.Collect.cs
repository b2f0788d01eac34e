using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <content>What is asked about the node rather than one pod: STATUS, GC, and the DELs that were queued.</content>
public sealed partial class CniHandler
{
    private readonly SemaphoreSlim _collecting = new(1, 1);

    /// <summary>Does the DELs that runtimes asked for while no agent was there. What fails stays queued, and is logged.</summary>
    public async Task DeletePendingAsync(CancellationToken cancel)
    {
        foreach (var key in pending.List())
            await DeletePendingAsync(key, cancel);
    }

    /// <summary>
    /// Does the queued DELs that a request must not find undone. The runtime believes them done, and asks for the same
    /// name again, or for the address of one. All others may take their time: no pod waits for another pod's DEL.
    /// </summary>
    private async Task DeletePendingAsync(CniRequest request, CancellationToken cancel)
    {
        if (pending.Has(request.Key))
            await DeletePendingAsync(request.Key, cancel);
        // Asked for, or given by the plugin before us.
        var addresses = request.Runtime.Addresses
            .Concat((request.Previous?.Addresses ?? []).Select(a => Addr.From(a.Address)))
            .Select(a => a.ToString()).ToHashSet();
        if (addresses.Count == 0)
            return;
        foreach (var owner in store.All.Where(r => r.Addresses.Any(addresses.Contains) && pending.Has(r.Key)))
            await DeletePendingAsync(owner.Key, cancel);
    }

    private async Task DeletePendingAsync(EndpointKey key, CancellationToken cancel)
    {
        try
        {
            await ExclusivelyAsync(key, needsRanges: false, () =>
            {
                // Another caller may have done it since, and the name may be a new pod's now.
                if (!pending.Has(key))
                    return false;
                Delete(key);
                Log.DeletedLater(log, key);
                return true;
            }, cancel);
        }
        catch (CniException)
        {
            // Logged where it failed.
        }
    }

    /// <summary>Removes orphans, which have no record: of ADDs and DELs of killed agents, and of lost records.</summary>
    public async Task CollectOrphansAsync(CancellationToken cancel)
    {
        using (await EverythingAsync(cancel))
            await Task.Run(RemoveOrphans, CancellationToken.None);
    }

    private void RemoveOrphans()
    {
        var endpoints = store.All;
        foreach (var orphan in network.RemoveOrphans(endpoints))
            Log.OrphanRemoved(log, orphan);
        programs.RemoveAllBut(endpoints);
    }

    /// <summary>Waits until no other request is worked on, and keeps others waiting until the result is disposed.</summary>
    private async Task<IDisposable> EverythingAsync(CancellationToken cancel)
    {
        var taken = 0;
        await _collecting.WaitAsync(cancel);
        try
        {
            for (; taken < limits.Parallel; taken++)
                await _parallel.WaitAsync(cancel);
        }
        catch
        {
            Release(taken);
            throw;
        }

        return new Exclusive(() => Release(limits.Parallel));
    }

    private void Release(int taken)
    {
        if (taken > 0)
            _parallel.Release(taken);
        _collecting.Release();
    }

    /// <summary>
    /// Why no ADD can be served, or null. Code 50: what runs is not affected. Code 51: pods that run may be affected too, since
    /// the kernel's tables are behind the cluster. That every address is in use is no reason: a runtime makes a node of it that is
    /// not ready, and its pods, which lack nothing, are evicted. The ADD that finds no address says so, and an event of the Node.
    /// </summary>
    public CniException? Unavailable()
    {
        if (!limits.Current())
        {
            return new CniException(CniErrorCode.PluginNotAvailableLimited,
                "the node's tables are behind the API: Services may have stale backends, for running pods too",
                "see the agent's log and /healthz");
        }

        // Addresses are the other plugin's affair, and so is what it says about them.
        return limits.Chained || store.HasRanges
            ? null
            : new CniException(
                CniErrorCode.PluginNotAvailable, "this node has no podCIDR yet",
                "spec.podCIDRs of the Node object is empty or not yet known");
    }

    private async Task CollectAsync(CniRequest request, CancellationToken cancel)
    {
        var valid = request.Attachments
            ?? throw new CniException(CniErrorCode.InvalidNetworkConfig, "GC needs cni.dev/valid-attachments in the network configuration");
        var failures = new List<string>();
        // Records of older agents do not name their network; there was one.
        foreach (var record in store.All.Where(r => (r.Network.Length == 0 || r.Network == request.Network) && !valid.Contains(r.Key)))
        {
            try
            {
                await ExclusivelyAsync(record.Key, needsRanges: false, () => Delete(record.Key), cancel);
            }
            catch (CniException e)
            {
                failures.Add($"{record.Key}: {e.Message}");
            }
        }

        try
        {
            await CollectOrphansAsync(cancel);
        }
        catch (Exception e) when (e is not (CniException or OperationCanceledException))
        {
            failures.Add($"leftovers: {e.Message}");
        }

        if (failures.Count > 0)
            throw new CniException(CniErrorCode.Internal, $"{failures.Count} attachments cannot be removed", string.Join("; ", failures));
    }

    private sealed class Exclusive(Action release) : IDisposable
    {
        public void Dispose() => release();
    }
}
