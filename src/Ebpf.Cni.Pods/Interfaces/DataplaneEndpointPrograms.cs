using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>Pods' share of the dataplane: pins are named by the host interface, entries by the pod's addresses.</summary>
public sealed class DataplaneEndpointPrograms(NodeDataplane dataplane, Func<bool> asLinks, PodConnections connections, PodDevices devices)
    : IEndpointPrograms
{
    public void Attach(HostLink link)
    {
        if (link.Ifindex > 0)
            dataplane.Pods.Attach(link.Ifindex, link.Name, asLinks());
    }

    public void Detach(EndpointKey key)
    {
        devices.Remove(key);
        dataplane.Pods.Detach(key.HostInterface);
    }

    public void Publish(EndpointRecord endpoint, HostLink link)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        connections.Settle(Addresses(endpoint));
        if (link.Ifindex == 0)
            return;
        devices.Add(endpoint, link.Ifindex);
        dataplane.Endpoints.Put(Entry(endpoint, link));
    }

    public void Withdraw(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        if (endpoint.Foreign is null)
        {
            dataplane.Endpoints.Remove(Addresses(endpoint));
            connections.End(Addresses(endpoint));
            return;
        }

        // Another plugin may have given an address to the next pod before this one's DEL came.
        connections.End([.. Addresses(endpoint).Where(a => dataplane.Endpoints.Remove([a], endpoint.Number) > 0)]);
    }

    public void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints)
    {
        var addresses = endpoints.SelectMany(Addresses).ToHashSet();
        Addr[] gone = [.. dataplane.Endpoints.List().SelectMany(e => e.Addresses).Where(a => !addresses.Contains(a))];
        dataplane.Endpoints.Remove(gone);
        connections.End(gone);
        var names = endpoints.Select(e => e.Key.HostInterface).ToHashSet();
        foreach (var name in dataplane.Pods.List())
            if (!names.Contains(name))
                dataplane.Pods.Detach(name);
    }

    public IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link)
    {
        var differences = new List<string>();
        if (link.Ifindex == 0)
            return differences;
        var expected = Entry(endpoint, link);
        var found = dataplane.Endpoints.Find(endpoint.Number, expected.Addresses);
        if (found is null)
            differences.Add("the endpoint table has no entry for the pod");
        else if (found.Ifindex != expected.Ifindex || found.PodMac != expected.PodMac || found.HostMac != expected.HostMac
            || found.Queued != expected.Queued
                 || !found.Addresses.Order().SequenceEqual(expected.Addresses.Order()))
            differences.Add("the endpoint table has a different entry for the pod");
        if (!dataplane.Pods.IsAttached(link.Ifindex, link.Name))
            differences.Add($"the programs on {link.Name} are missing or belong to another agent");
        return differences;
    }

    private static PodEndpoint Entry(EndpointRecord endpoint, HostLink link) => new(
        endpoint.Number, link.Ifindex, MacAddr.FromBytes(endpoint.PodMac), MacAddr.FromBytes(endpoint.HostMac),
        [.. Addresses(endpoint)], NetnsCookie(endpoint))
        {
            // Another plugin may limit the rate on its own interface, and may want to see what goes there.
            Queued = endpoint.Foreign is not null || endpoint.Bandwidth is { IngressRate: > 0 },
        };

    /// <summary>
    /// Without it a pod's sockets are known by nothing until they have a source address: its affinity would start over for each.
    /// </summary>
    private static ulong NetnsCookie(EndpointRecord endpoint)
    {
        try
        {
            using var netns = NetworkNamespace.Open(endpoint.Netns);
            return netns.Cookie();
        }
        catch (KernelException)
        {
            // The namespace is going away: no process opens a socket there any more.
            return 0;
        }
    }

    private static IEnumerable<Addr> Addresses(EndpointRecord endpoint) => endpoint.Addresses.Select(Addr.Parse);
}
