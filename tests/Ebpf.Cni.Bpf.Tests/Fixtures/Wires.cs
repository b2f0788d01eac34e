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
            Join(Client, "client", Address.Client4, Address.Client6);
            Join(Server, "server", Address.Server4, Address.Server6);
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
        foreach (var (local, far, client) in new[] { ("10.2.0.1", Address.Remote4, Address.Client4), ("fd00:2::1", Address.Remote6, Address.Client6) })
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
        WaitRunning(node, "uplink");
        WaitRunning(inside, "eth0");
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

    // as the CNI plugin wires a pod: single addresses, the gateway's and the pod's MAC addresses fixed on both sides
    private void Join(NetworkNamespace pod, string name, string v4, string v6)
    {
        using var node = RouteNetlink.Open(Node);
        using var inside = RouteNetlink.Open(pod);
        node.AddVeth(name, "eth0", pod);
        var host = node.FindLink(name)!;
        var eth = inside.FindLink("eth0")!;
        node.SetUp(host.Index);
        inside.SetUp(eth.Index);
        foreach (var (text, gatewayText) in new[] { (v4, Address.Gateway4), (v6, Address.Gateway6) })
        {
            var address = IPAddress.Parse(text);
            var gateway = IPAddress.Parse(gatewayText);
            var bits = address.GetAddressBytes().Length * 8;
            inside.AddAddress(eth.Index, address, bits);
            inside.ReplaceNeighbour(eth.Index, gateway, host.Mac);
            inside.ReplaceRoute(new Route(new IPNetwork(bits == 32 ? IPAddress.Any : IPAddress.IPv6Any, 0), eth.Index) { Gateway = gateway, OnLink = true });
            node.ReplaceRoute(new Route(new IPNetwork(address, bits), host.Index));
            node.ReplaceNeighbour(host.Index, address, eth.Mac);
            Programs.AddPod(text, (uint)host.Index, MacAddr.FromBytes(eth.Mac), MacAddr.FromBytes(host.Mac));
        }
        Node.Run(() => Programs.Attach(host.Index).ForEach(l => Own(l)));
        WaitRunning(node, name);
        WaitRunning(inside, "eth0");
    }

    // a device that was just switched on discards what it is given to send until the kernel's link watch has made its queue
    private static void WaitRunning(RouteNetlink netlink, string name) =>
        Assert.True(SpinWait.SpinUntil(() => netlink.FindLink(name)!.Running, TimeSpan.FromSeconds(10)), $"{name} is not running");
}
