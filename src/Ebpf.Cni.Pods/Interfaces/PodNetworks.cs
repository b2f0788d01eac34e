using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>Each pod's network by who made it: ours are made, changed and removed, another plugin's only looked at.</summary>
public sealed class PodNetworks(VethPodNetwork own) : IPodNetwork
{
    public bool NamespaceExists(string netns) => own.NamespaceExists(netns);

    public bool NamespaceIsGone(string netns) => own.NamespaceIsGone(netns);

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) => own.FindChained(netns, ifname);

    public int Mtu() => own.Mtu();

    public HostLink CreateLink(EndpointRecord endpoint) => IsOwn(endpoint)
        ? own.CreateLink(endpoint)
        : ChainedInterfaces.FindHost(endpoint)
            ?? throw new InvalidOperationException($"interface {endpoint.Foreign!.HostName} no longer exists");

    public HostLink? FindHostLink(EndpointRecord endpoint) =>
        IsOwn(endpoint) ? own.FindHostLink(endpoint) : ChainedInterfaces.FindHost(endpoint);

    public bool HasPodSide(EndpointRecord endpoint) => IsOwn(endpoint)
        ? own.HasPodSide(endpoint)
        : NamespaceExists(endpoint.Netns) && ChainedInterfaces.HasPodSide(endpoint);

    public void ConfigurePod(EndpointRecord endpoint)
    {
        if (IsOwn(endpoint))
            own.ConfigurePod(endpoint);
    }

    public void ConnectHost(EndpointRecord endpoint, HostLink link)
    {
        if (IsOwn(endpoint))
            own.ConnectHost(endpoint, link);
    }

    /// <summary>Finds ours alone: no other plugin's interface has such a name.</summary>
    public void DeleteLink(EndpointKey key) => own.DeleteLink(key);

    public EndpointRecord Current(EndpointRecord endpoint) => IsOwn(endpoint) ? own.Current(endpoint) : ChainedInterfaces.Current(endpoint);

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints) =>
        own.Disconnected(endpoints);

    public IReadOnlyList<string> Differences(EndpointRecord endpoint)
    {
        if (IsOwn(endpoint))
            return own.Differences(endpoint);
        if (!NamespaceExists(endpoint.Netns))
            return [$"there is no network namespace at {endpoint.Netns}"];
        var differences = new List<string>();
        if (FindHostLink(endpoint) is null)
            differences.Add($"the interface {endpoint.Foreign!.HostName} on the node is missing or was replaced");
        if (!ChainedInterfaces.HasPodSide(endpoint))
            differences.Add($"{endpoint.Ifname} in the pod is missing or was replaced");
        return differences;
    }

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints) => own.RemoveOrphans(endpoints);

    private static bool IsOwn(EndpointRecord endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return endpoint.Foreign is null;
    }
}
