using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <content>ADD behind another plugin: its interface and its addresses become an endpoint; nothing of the pod's network is
/// touched.</content>
public sealed partial class CniHandler
{
    /// <summary>The answer is prevResult as it came.</summary>
    private byte[] AddChained(CniRequest request)
    {
        if (request.Previous is not { } previous)
        {
            throw new CniException(CniErrorCode.InvalidNetworkConfig,
                "prevResult is missing: with cni-mode chained this plugin must follow the plugin that sets up the pod's network");
        }

        if (!network.NamespaceExists(request.Netns))
            throw NoNamespace(request.Netns);
        var addresses = AddressesOf(previous, request.Key.Ifname);
        // An interface without addresses has no services; and one of another plugin's other interfaces may bring none.
        if (addresses.Count > 0)
            AddChained(request, addresses);
        return CniAnswer.Result(previous.Json.WriteTo);
    }

    /// <summary>A missing directory is a missing mount of the agent's container, not the runtime's fault.</summary>
    private static CniException NoNamespace(string netns) => Directory.Exists(Path.GetDirectoryName(netns))
        ? new CniException(CniErrorCode.InvalidEnvironment, $"there is no network namespace at {netns}")
        : new CniException(CniErrorCode.InvalidEnvironment,
            $"the agent does not see {Path.GetDirectoryName(netns)}: mount the runtime's directory of network namespaces into its "
            + "container (mountPropagation: HostToContainer)");

    private void AddChained(CniRequest request, IReadOnlyList<string> addresses)
    {
        var (host, mac) = Find(request);
        var existing = store.Find(request.Key);
        if (existing is not null
            && !(host.IsSame(existing.Foreign) && existing.Netns == request.Netns && existing.Addresses.SequenceEqual(addresses)))
        {
            Delete(request.Key);
            existing = null;
        }

        var undo = new UndoStack(log, $"ADD {request.Key}");
        try
        {
            var record = existing is not null ? existing with { Foreign = host, Mac = mac } : store.AddChained(new EndpointRecord
            {
                ContainerId = request.Key.ContainerId, Ifname = request.Key.Ifname, Netns = request.Netns, Number = 0,
                    Addresses = addresses, Mac = mac, Foreign = host,
            });
            if (existing is null)
                undo.Push("release the endpoint", () => store.Release(record));
            undo.Push("detach the programs", () => programs.Detach(record.Key));
            undo.Push("withdraw the endpoint", () => programs.Withdraw(record));
            var link = network.CreateLink(record);
            if (link.Ifindex == 0)
                Log.NoHostSide(log, record.Key, request.Pod);
            programs.Attach(link);
            programs.Publish(record, link);
            record = Asked(record, request) with { Ready = true };
            store.Save(record);
            Log.Added(log, record.Key, record.Pod, string.Join(", ", record.Addresses));
        }
        catch (Exception e)
        {
            // What runs already is not torn down because a repetition failed.
            var complete = existing is not null || undo.Run();
            if (e is CniException)
                throw;
            Log.AddFailed(log, request.Key, request.Pod, e);
            throw new CniException(
                CniErrorCode.Internal, $"Services cannot be set up for the pod: {e.Message}",
                complete ? "the ADD was rolled back" : "the ADD was rolled back in part; DEL removes the rest", e);
        }
    }

    private (ChainedInterface Host, string Mac) Find(CniRequest request)
    {
        try
        {
            return network.FindChained(request.Netns, request.Key.Ifname)
                ?? throw new CniException(
                    CniErrorCode.InvalidNetworkConfig,
                    $"prevResult has addresses, but there is no {request.Key.Ifname} in {request.Netns}");
        }
        catch (Exception e) when (e is not CniException)
        {
            throw new CniException(CniErrorCode.Internal, $"the pod's interface cannot be read: {e.Message}", "", e);
        }
    }

    /// <summary>Of the interface that this attachment is about, or of no interface in particular; IPv4 first.</summary>
    private static List<string> AddressesOf(PreviousResult previous, string ifname) =>
    [
        .. previous.Addresses
            .Where(a => a.Interface < 0 || (previous.Interfaces[a.Interface] is { Sandbox.Length: > 0 } owner && owner.Name == ifname))
            .OrderBy(a => a.Address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
            .Select(a => Addr.From(a.Address).ToString()).Distinct(),
    ];
}
