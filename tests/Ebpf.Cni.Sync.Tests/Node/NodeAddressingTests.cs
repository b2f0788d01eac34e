using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Testing;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>The node's addresses and uplinks, from what the kernel and the Node object say.</summary>
public class NodeAddressingTests
{
    private static readonly SyncOptions Defaults = new("n1");

    /// <summary>A public device with the default routes, a private one with the node's InternalIP, a bridge of somebody else's.</summary>
    private static readonly NodeNetworkState TwoNics = new(
        [Link(1, "lo"), Link(2, "eth0"), Link(3, "eth1"), Link(4, "docker0", "bridge")],
        [
            Address(1, "127.0.0.1"), Address(1, "::1"), Address(2, "198.51.100.7"), Address(2, "2001:db8::7"), Address(2, "fe80::7"),
            Address(3, "10.0.0.7"), Address(3, "10.0.0.8"), Address(4, "172.17.0.1"), Address(2, "169.254.9.9"),
        ],
        [new(IPNetwork.Parse("0.0.0.0/0"), 2), new(IPNetwork.Parse("::/0"), 2)]);

    [Fact]
    public void Uplinks_are_the_default_routes_and_the_InternalIPs_devices()
    {
        var node = Of(TwoNics, ["10.0.0.8"], Defaults);
        Assert.Equal(
            [new UplinkDevice(2, "eth0", Addr.Parse("198.51.100.7"), Addr.Parse("2001:db8::7")),
                new UplinkDevice(3, "eth1", Addr.Parse("10.0.0.8"), Addr.Parse("2001:db8::7"))],
            node.Uplinks);
        Assert.Equal((Addr.Parse("10.0.0.8"), Addr.Parse("2001:db8::7")), (node.V4, node.V6));
        Assert.Equal([Addr.Parse("10.0.0.8"), Addr.Parse("2001:db8::7")],
            node.NodePortAddresses.OrderBy(a => a.ToString(), StringComparer.Ordinal));
    }

    [Fact]
    public void All_that_others_may_know_are_the_nodes_addresses() =>
        Assert.Equal(
            ["10.0.0.7", "10.0.0.8", "172.17.0.1", "198.51.100.7", "2001:db8::7"],
            Of(TwoNics, [], Defaults).Addresses.Select(a => a.ToString()).Order(StringComparer.Ordinal));

    [Fact]
    public void Without_a_Node_object_the_uplinks_address_is_the_nodes() =>
        Assert.Equal(Addr.Parse("198.51.100.7"), Of(TwoNics, [], Defaults).V4);

    [Fact]
    public void An_InternalIP_that_the_node_does_not_have_is_not_used() =>
        Assert.Equal(Addr.Parse("198.51.100.7"), Of(TwoNics, ["203.0.113.1", "nonsense"], Defaults).V4);

    [Fact]
    public void Ranges_choose_among_the_nodes_own_addresses()
    {
        var options = Defaults with { NodePortAddresses = [IPNetwork.Parse("10.0.0.0/8"), IPNetwork.Parse("192.168.0.0/16")] };
        Assert.Equal([Addr.Parse("10.0.0.7"), Addr.Parse("10.0.0.8")], Of(TwoNics, ["198.51.100.7"], options).NodePortAddresses);
    }

    [Fact]
    public void Patterns_choose_devices_and_never_loopback() =>
        Assert.Equal(["eth0", "eth1"], Of(TwoNics, [], Defaults with { Uplinks = ["eth*", "l*"] }).Uplinks.Select(u => u.Name));

    [Fact]
    public void A_node_without_a_way_out_has_the_devices_by_which_others_reach_it()
    {
        var facts = TwoNics with { DefaultRoutes = [] };
        Assert.Equal(["eth0", "eth1"], Of(facts, [], Defaults).Uplinks.Select(u => u.Name));
        // Known by one of them; the other leads to a network of its own.
        Assert.Equal([3], Of(facts, ["10.0.0.7"], Defaults).Main);
        Assert.Equal(["eth0", "eth1"], Of(facts, ["10.0.0.7"], Defaults).Uplinks.Select(u => u.Name));
        Assert.Equal(Addr.Parse("10.0.0.7"), Of(facts, ["10.0.0.7"], Defaults).V4);
    }

    [Fact]
    public void Equal_facts_give_equal_networks()
    {
        Assert.Equal(Of(TwoNics, ["10.0.0.8"], Defaults), Of(TwoNics, ["10.0.0.8"], Defaults));
        Assert.NotEqual(Of(TwoNics, ["10.0.0.8"], Defaults), Of(TwoNics, ["10.0.0.7"], Defaults));
    }

    [Fact]
    public void The_kernel_is_read_without_pods_devices()
    {
        Requires.Root();
        using var ns = NetworkNamespace.CreateAnonymous();
        var (before, after) = ns.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddVeth("up0", "up1");
            netlink.AddVeth("ecni0123456789a", "eth9");
            netlink.SetUp(netlink.FindLink("up0")!.Index);
            netlink.SetUp(netlink.FindLink("up1")!.Index);
            netlink.AddAddress(netlink.FindLink("up0")!.Index, IPAddress.Parse("192.0.2.1"), 24);
            netlink.ReplaceRoute(new KernelRoute(IPNetwork.Parse("0.0.0.0/0"), netlink.FindLink("up0")!.Index)
                { Gateway = IPAddress.Parse("192.0.2.254") });
            var read = NodeNetworkState.Read();
            Assert.Equal(read, NodeNetworkState.Read());
            netlink.AddAddress(netlink.FindLink("up0")!.Index, IPAddress.Parse("192.0.2.2"), 24);
            return (read, NodeNetworkState.Read());
        });
        Assert.DoesNotContain(before.Links, l => l.Name.StartsWith("ecni", StringComparison.Ordinal));
        Assert.NotEqual(before, after);
        var uplink = Assert.Single(Of(before, [], Defaults).Uplinks);
        Assert.Equal(("up0", Addr.Parse("192.0.2.1")), (uplink.Name, uplink.V4));
    }

    private static NodeNetwork Of(NodeNetworkState facts, IEnumerable<string> internalIPs, SyncOptions options) =>
        NodeAddressing.Of(facts, internalIPs, options, UplinkMemory.None);

    private static LinkInfo Link(int index, string name, string kind = "") =>
        new(index, name) { Up = true, Running = true, Kind = kind, Ethernet = name != "lo" };

    private static AddressInfo Address(int ifindex, string address) => new(ifindex, IPAddress.Parse(address), 24) { Permanent = true };
}
