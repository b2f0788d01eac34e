using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>A node whose ADD fails at its last step, and one of whose undos fails too.</summary>
internal sealed class FailingUndo(FakeNode node, string undo) : IPodNetwork, IEndpointPrograms
{
    private bool _undoing;

    public bool NamespaceExists(string netns) => node.NamespaceExists(netns);

    public (ChainedInterface Host, string PodMac)? FindChained(string netns, string ifname) => node.FindChained(netns, ifname);

    public bool NamespaceIsGone(string netns) => node.NamespaceIsGone(netns);

    public IReadOnlyList<string> RemoveOrphans(IReadOnlyCollection<EndpointRecord> endpoints) => node.RemoveOrphans(endpoints);

    public int Mtu() => node.Mtu();

    public HostLink CreateLink(EndpointRecord endpoint) => node.CreateLink(endpoint);

    public HostLink? FindHostLink(EndpointRecord endpoint) => node.FindHostLink(endpoint);

    public bool HasPodSide(EndpointRecord endpoint) => node.HasPodSide(endpoint);

    public void ConfigurePod(EndpointRecord endpoint) => node.ConfigurePod(endpoint);

    public void ConnectHost(EndpointRecord endpoint, HostLink link)
    {
        _undoing = true;
        throw new InvalidOperationException("connect fails");
    }

    public void DeleteLink(EndpointKey key) => Undo("delete", () => node.DeleteLink(key));

    public EndpointRecord Current(EndpointRecord endpoint) => node.Current(endpoint);

    public IReadOnlyList<(EndpointRecord Endpoint, string What)> Disconnected(IReadOnlyCollection<EndpointRecord> endpoints) =>
        node.Disconnected(endpoints);

    public IReadOnlyList<string> Differences(EndpointRecord endpoint) => node.Differences(endpoint);

    public void Attach(HostLink link) => node.Attach(link);

    public void Detach(EndpointKey key) => Undo("detach", () => node.Detach(key));

    public void Publish(EndpointRecord endpoint, HostLink link) => node.Publish(endpoint, link);

    public void Withdraw(EndpointRecord endpoint) => Undo("withdraw", () => node.Withdraw(endpoint));

    public void RemoveAllBut(IReadOnlyCollection<EndpointRecord> endpoints) => node.RemoveAllBut(endpoints);

    public IReadOnlyList<string> Differences(EndpointRecord endpoint, HostLink link) => node.Differences(endpoint, link);

    private void Undo(string name, Action effect)
    {
        if (_undoing && name == undo)
            throw new InvalidOperationException($"{name} fails");
        effect();
    }
}
