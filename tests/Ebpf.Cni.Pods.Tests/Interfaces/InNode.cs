using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>The real thing in a node of its own: every call runs in the node's network namespace, as the agent does as a whole.</summary>
internal sealed class InNode(NetworkNamespace node, IPodNetwork network, IEndpointPrograms programs) : IPodNetwork, IEndpointPrograms
{
    public bool NamespaceExists(string netns) => node.Run(() => network.NamespaceExists(netns));

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) =>
        node.Run(() => network.FindChained(netns, ifname));

    public bool NamespaceIsGone(string netns) => network.NamespaceIsGone(netns);

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints) =>
        node.Run(() => network.RemoveOrphans(endpoints));

    public int Mtu() => node.Run(network.Mtu);

    public HostLink CreateLink(EndpointRecord endpoint) => node.Run(() => network.CreateLink(endpoint));

    public HostLink? FindHostLink(EndpointRecord endpoint) => node.Run(() => network.FindHostLink(endpoint));

    public bool HasPodSide(EndpointRecord endpoint) => node.Run(() => network.HasPodSide(endpoint));

    public void ConfigurePod(EndpointRecord endpoint) => node.Run(() => network.ConfigurePod(endpoint));

    public void ConnectHost(EndpointRecord endpoint, HostLink link) => node.Run(() => network.ConnectHost(endpoint, link));

    public void DeleteLink(EndpointKey key) => node.Run(() => network.DeleteLink(key));

    public EndpointRecord Current(EndpointRecord endpoint) => node.Run(() => network.Current(endpoint));

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints) =>
        node.Run(() => network.Disconnected(endpoints));

    public IReadOnlyList<string> Differences(EndpointRecord endpoint) => node.Run(() => network.Differences(endpoint));

    public void Attach(HostLink link) => node.Run(() => programs.Attach(link));

    public void Detach(EndpointKey key) => node.Run(() => programs.Detach(key));

    public void Publish(EndpointRecord endpoint, HostLink link) => programs.Publish(endpoint, link);

    public void Withdraw(EndpointRecord endpoint) => programs.Withdraw(endpoint);

    public void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints) => node.Run(() => programs.RemoveAllBut(endpoints));

    public IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link) =>
        node.Run(() => programs.Differences(endpoint, link));
}
