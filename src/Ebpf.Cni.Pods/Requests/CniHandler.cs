using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// The CNI commands. One at a time for each container's interface; different ones in parallel. Whatever is in the kernel has a record on
/// disk: the record is written first and removed last.
/// </summary>
public sealed partial class CniHandler(
    IEndpointStore store, IPodNetwork network, IEndpointPrograms programs, IHostPorts hostPorts, PendingDeletes pending, CniLimits limits,
    ILogger<CniHandler> log) : IDisposable
{
    private readonly KeyedLock<EndpointKey> _keys = new();
    private readonly SemaphoreSlim _parallel = new(limits.Parallel, limits.Parallel);

    /// <summary>Does what the request says and returns the answer for the plugin.</summary>
    /// <exception cref="CniException">The operation failed; an ADD that failed has left nothing behind.</exception>
    public async Task<byte[]> HandleAsync(CniRequest request, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        switch (request.Command)
        {
            case "STATUS":
                return Unavailable() is { } trouble ? throw trouble : CniAnswer.Empty;
            case "GC":
                await CollectAsync(request, cancel);
                return CniAnswer.Empty;
        }

        if (request.Command != "DEL")
            await DeletePendingAsync(request, cancel);
        var answer = await ExclusivelyAsync(request.Key, request.Command == "ADD" && !limits.Chained, () => request.Command switch
        {
            "ADD" => limits.Chained ? AddChained(request) : AddResult.Of(Add(request), request),
            "DEL" => Delete(request.Key),
            "CHECK" => Check(request),
            _ => throw new CniException(CniErrorCode.InvalidEnvironment, $"CNI command '{request.Command}' is not supported"),
        }, cancel);
        // The pod may be asked as soon as it runs. If the ports come late, that is no reason to keep it from running.
        if (request.Runtime.PortMappings.Count > 0)
            await hostPorts.AppliedAsync(limits.HostPortsLimit, cancel);
        return answer;
    }

    public void Dispose() => _parallel.Dispose();

    private async Task<T> ExclusivelyAsync<T>(EndpointKey key, bool needsRanges, Func<T> work, CancellationToken cancel)
    {
        using (await _keys.EnterAsync(key, cancel))
        {
            // Inside of the lock: a DEL that comes while its ADD waits here must find what the ADD will have made.
            if (needsRanges)
                await store.WaitForRangesAsync(limits.RangesLimit, cancel);
            // The kernel work blocks: it runs on a thread of its own kind, never on the one that serves the socket.
            await _parallel.WaitAsync(cancel);
            try
            {
                return await Task.Run(work, CancellationToken.None);
            }
            finally
            {
                _parallel.Release();
            }
        }
    }

    private EndpointRecord Add(CniRequest request)
    {
        if (!network.NamespaceExists(request.Netns))
            throw NoNamespace(request.Netns);
        if (request.Previous?.Interfaces.Any(i => i.Name == request.Key.Ifname && i.Sandbox.Length > 0) == true)
        {
            throw new CniException(CniErrorCode.InvalidNetworkConfig,
                $"an earlier plugin of the chain created {request.Key.Ifname} already",
                "behind another CNI plugin the agent needs the cni-mode option set to chained");
        }

        var existing = store.Find(request.Key);
        if (existing is { Foreign: not null }
            || (existing is not null && !request.Runtime.Addresses.All(a => existing.Addresses.Contains(a.ToString()))))
        {
            // An older attachment of the same name, with other addresses than are asked for now, or another plugin's.
            Delete(request.Key);
            existing = null;
        }

        if (existing is { Ready: true } && existing.Netns == request.Netns && existing.Mac == request.Runtime.Mac
            && network.FindHostLink(existing) is { } link && network.HasPodSide(existing))
            return Reassert(request, existing, link);

        var undo = new UndoStack(log, $"ADD {request.Key}");
        try
        {
            return Wire(request, existing, undo);
        }
        catch (Exception e)
        {
            var complete = undo.Run();
            if (e is CniException)
                throw;
            Log.AddFailed(log, request.Key, request.Pod, e);
            throw new CniException(
                CniErrorCode.Internal, $"the pod's network cannot be set up: {e.Message}",
                complete ? "the ADD was rolled back" : "the ADD was rolled back in part; DEL removes the rest", e);
        }
    }

    /// <summary>The steps of an ADD. Programs and endpoint entry are there before the first packet can pass.</summary>
    private EndpointRecord Wire(CniRequest request, EndpointRecord? existing, UndoStack undo)
    {
        var record = existing ?? store.Reserve(request.Key, request.Netns, request.Pod, request.Runtime.Addresses);
        undo.Push("release the addresses", () => store.Release(record));
        record = Asked(record, request) with { Netns = request.Netns, Mac = request.Runtime.Mac, Mtu = network.Mtu(), Ready = false };
        if (existing is not null)
            store.Save(record);
        undo.Push("detach the programs", () => programs.Detach(record.Key));
        undo.Push("withdraw the endpoint", () => programs.Withdraw(record));
        undo.Push("delete the interface", () => network.DeleteLink(record.Key));

        var link = network.CreateLink(record);
        programs.Attach(link);
        programs.Publish(record, link);
        network.ConfigurePod(record);
        network.ConnectHost(record, link);

        record = record with { Ready = true };
        store.Save(record);
        Log.Added(log, record.Key, record.Pod, string.Join(", ", record.Addresses));
        return record;
    }

    /// <summary>What a repeated ADD may change without a new interface.</summary>
    private static EndpointRecord Asked(EndpointRecord record, CniRequest request) => record with
    {
        Network = request.Network, Pod = request.Pod, PodUid = request.PodUid,
        PortMappings = record.PortMappings.SequenceEqual(request.Runtime.PortMappings) ? record.PortMappings : request.Runtime.PortMappings,
        Bandwidth = request.Runtime.Bandwidth,
    };

    private EndpointRecord Reassert(CniRequest request, EndpointRecord record, HostLink link)
    {
        try
        {
            var asked = Asked(network.Current(record), request);
            if (asked != record)
                store.Save(record = asked);
            programs.Attach(link);
            programs.Publish(record, link);
            network.ConfigurePod(record);
            network.ConnectHost(record, link);
            return record;
        }
        catch (Exception e) when (e is not CniException)
        {
            // The pod may be running: it is not torn down because a repetition failed.
            throw new CniException(
                CniErrorCode.Internal, $"repeated ADD: the pod's network exists, but cannot be updated: {e.Message}", "", e);
        }
    }

    private byte[] Delete(EndpointKey key)
    {
        try
        {
            network.DeleteLink(key);
            var record = store.Find(key);
            if (record is not null)
                programs.Withdraw(record);
            programs.Detach(key);
            if (record is not null)
            {
                store.Release(record);
                Log.Deleted(log, key, record.Pod);
            }

            pending.Done(key);
            return CniAnswer.Empty;
        }
        catch (Exception e) when (e is not CniException)
        {
            Log.DeleteFailed(log, key, e);
            throw new CniException(
                CniErrorCode.Internal, $"the pod's network cannot be removed: {e.Message}", "the runtime must repeat the DEL", e);
        }
    }

    private byte[] Check(CniRequest request)
    {
        if (request.Previous is not { } previous)
            throw new CniException(CniErrorCode.InvalidNetworkConfig, "CHECK needs prevResult in the network configuration");
        var record = store.Find(request.Key)
            ?? throw new CniException(CniErrorCode.UnknownContainer, $"endpoint {request.Key} is unknown");
        var differences = previous.Differences(record).ToList();
        if (record.Netns != request.Netns)
            differences.Add($"the namespace is {record.Netns}, not {request.Netns}");
        try
        {
            var link = network.FindHostLink(record);
            if (link is { } there)
                record = Follow(record, there);
            differences.AddRange(network.Differences(record));
            if (link is { } host)
                differences.AddRange(programs.Differences(record, host));
        }
        catch (Exception e) when (e is not CniException)
        {
            differences.Add(e.Message);
        }

        return differences.Count == 0
            ? CniAnswer.Empty
            : throw new CniException(
                CniErrorCode.CheckFailed, $"endpoint {request.Key} differs from its ADD: {differences[0]}", string.Join("; ", differences));
    }

    private static partial class Log
    {
        [LoggerMessage(3121, LogLevel.Information, "ADD {Key} (pod {Pod}): {Addresses}")]
        public static partial void Added(ILogger log, EndpointKey key, string pod, string addresses);

        [LoggerMessage(3122, LogLevel.Information, "DEL {Key} (pod {Pod})")]
        public static partial void Deleted(ILogger log, EndpointKey key, string pod);

        [LoggerMessage(3123, LogLevel.Warning, "ADD {Key} (pod {Pod}) failed")]
        public static partial void AddFailed(ILogger log, EndpointKey key, string pod, Exception e);

        [LoggerMessage(3124, LogLevel.Warning, "DEL {Key} failed")]
        public static partial void DeleteFailed(ILogger log, EndpointKey key, Exception e);

        [LoggerMessage(3125, LogLevel.Information, "DEL {Key}, queued while the agent was down, completed")]
        public static partial void DeletedLater(ILogger log, EndpointKey key);

        [LoggerMessage(3127, LogLevel.Warning,
            "{Key} (pod {Pod}): the interface has no veth on the node; Services work at the socket only, "
            + "not per packet (socket-lb hostOnly or off, SCTP)")]
        public static partial void NoHostSide(ILogger log, EndpointKey key, string pod);

        [LoggerMessage(3128, LogLevel.Warning, "{Key} (pod {Pod}): network state lost, restoring it: {Lost}")]
        public static partial void Lost(ILogger log, EndpointKey key, string pod, string lost);

        [LoggerMessage(3129, LogLevel.Warning, "{Key}: network state cannot be verified or restored: {Cause}")]
        public static partial void NotVerified(ILogger log, EndpointKey key, string cause);

        [LoggerMessage(3120, LogLevel.Error, "routes and neighbours of the node cannot be compared with its endpoints: {Cause}")]
        public static partial void NotCompared(ILogger log, string cause);

        [LoggerMessage(3126, LogLevel.Information, "orphan of a deleted endpoint removed: {What}")]
        public static partial void OrphanRemoved(ILogger log, string what);
    }
}
