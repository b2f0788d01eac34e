using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>A node and two pods, "client" and "server", on real veth pairs with the pod programs on the node's side.</summary>
internal sealed class Wires : IDisposable
{
    private readonly Stack<IDisposable> _owned = new();

    public Wires(ConfigFlags flags)
    {
        Programs = Own(new PodPrograms(flags));
        try
        {
            Node = Own(NetworkNamespace.CreateAnonymous());
            Client = Own(NetworkNamespace.CreateAnonymous());
            Server = Own(NetworkNamespace.CreateAnonymous());
            Node.Run(() =>
            {
                File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
                File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
            });
            PodWire.Join(Node, Programs, Client, "client", Address.Client4, Address.Client6, l => Own(l));
            PodWire.Join(Node, Programs, Server, "server", Address.Server4, Address.Server6, l => Own(l));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public PodPrograms Programs { get; }
    public NetworkNamespace Node { get; } = null!;
    public NetworkNamespace Client { get; } = null!;
    public NetworkNamespace Server { get; } = null!;

    /// <summary>
    /// A pod of another node, reached through this node's stack over a link whose MTU here is smaller than the pods'.
    /// </summary>
    public NetworkNamespace AddRemote(int mtu)
    {
        var remote = Own(NetworkNamespace.CreateAnonymous());
        using var node = RouteNetlink.Open(Node);
        using var inside = RouteNetlink.Open(remote);
        node.AddVeth("uplink", "eth0", remote);
        var uplink = node.FindLink("uplink")!;
        var eth = inside.FindLink("eth0")!;
        node.SetMtu(uplink.Index, mtu);
        node.SetUp(uplink.Index);
        inside.SetUp(eth.Index);
        foreach (var (local, far, client) in new[]
            { ("10.2.0.1", Address.Remote4, Address.Client4), ("fd00:2::1", Address.Remote6, Address.Client6) })
        {
            var (here, there) = (IPAddress.Parse(local), IPAddress.Parse(far));
            var bits = here.GetAddressBytes().Length * 8;
            node.AddAddress(uplink.Index, here, bits);
            inside.AddAddress(eth.Index, there, bits);
            node.ReplaceRoute(new Route(new IPNetwork(there, bits), uplink.Index));
            node.ReplaceNeighbour(uplink.Index, there, eth.Mac);
            inside.ReplaceNeighbour(eth.Index, here, uplink.Mac);
            inside.ReplaceRoute(new Route(new IPNetwork(IPAddress.Parse(client), bits), eth.Index) { Gateway = here, OnLink = true });
        }
        PodWire.WaitRunning(node, "uplink");
        PodWire.WaitRunning(inside, "eth0");
        return remote;
    }

    /// <summary>Of both pods' links, at both ends.</summary>
    public void SetMtu(int mtu)
    {
        foreach (var (pod, name) in new[] { (Client, "client"), (Server, "server") })
        {
            using var node = RouteNetlink.Open(Node);
            using var inside = RouteNetlink.Open(pod);
            node.SetMtu(node.FindLink(name)!.Index, mtu);
            inside.SetMtu(inside.FindLink("eth0")!.Index, mtu);
        }
    }

    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
            owned.Dispose();
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
