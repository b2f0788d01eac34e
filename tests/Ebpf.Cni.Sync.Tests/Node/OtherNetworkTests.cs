using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>
/// Networks beside that of the default route: their devices are uplinks as well, containers' are not, and what cannot be told is named.
/// </summary>
public class OtherNetworkTests
{
    private static readonly NodeNetworkState Usual = new(
        [Link(1, "lo"), Link(2, "eth0")], [Address(2, "10.0.0.7/24")], [new KernelRoute(IPNetwork.Parse("0.0.0.0/0"), 2)]);

    [Theory]
    [InlineData("eth1", "")]
    [InlineData("eth0.20", "vlan")]
    [InlineData("bond1", "bond")]
    [InlineData("mac0", "macvlan")]
    public void A_card_or_a_VLAN_with_a_network_of_its_own_is_an_uplink(string name, string kind)
    {
        var choice = Of(With(Link(3, name, kind), "10.99.0.1/24"));
        Assert.Equal(["eth0", name], choice.Devices.Select(d => d.Name));
        Assert.Equal([3], choice.Beside);
        Assert.Empty(choice.Unfit);
        // Control: switched off, or without an address, it leads nowhere.
        Assert.Equal(["eth0"], Of(With(Link(3, name, kind) with { Up = false }, "10.99.0.1/24")).Devices.Select(d => d.Name));
        Assert.Equal(["eth0"], Of(With(Link(3, name, kind))).Devices.Select(d => d.Name));
    }

    [Fact]
    public void A_single_address_is_a_network_only_with_a_route_to_one()
    {
        var facts = With(Link(3, "eth1"), "10.99.0.1/32");
        Assert.Equal(["eth0"], Of(facts).Devices.Select(d => d.Name));
        Assert.Equal(["eth0", "eth1"], Of(facts with { RoutedDevices = [3] }).Devices.Select(d => d.Name));
    }

    [Theory]
    [InlineData("docker0", "bridge")]
    [InlineData("br-0123456789ab", "bridge")]
    [InlineData("cni0", "bridge")]
    [InlineData("virbr0", "bridge")]
    [InlineData("mybridge", "bridge")]
    [InlineData("nodelocaldns", "dummy")]
    [InlineData("nodelocaldns", "bridge")]
    [InlineData("dummy0", "dummy")]
    [InlineData("flannel.1", "vxlan")]
    [InlineData("cilium_host", "veth")]
    [InlineData("tunl0", "ipip")]
    public void Bridges_of_containers_devices_of_plugins_and_dummies_are_none_and_nobody_is_told(string name, string kind)
    {
        var choice = Of(With(Link(3, name, kind) with { PeerNamespaceId = 0, Ethernet = kind != "ipip" }, "10.99.0.1/24"));
        Assert.Equal(["eth0"], choice.Devices.Select(d => d.Name));
        Assert.Empty(choice.Unfit);
    }

    [Theory]
    [InlineData("veth12ab", "veth", true)]
    [InlineData("ve-box", "veth", true)]
    [InlineData("tap0", "tun", true)]
    [InlineData("vx7", "vxlan", true)]
    [InlineData("wg0", "wireguard", false)]
    [InlineData("tun0", "tun", false)]
    public void What_cannot_be_told_is_left_alone_and_named(string name, string kind, bool ethernet)
    {
        var choice = Of(With(Link(3, name, kind) with { PeerNamespaceId = 0, Ethernet = ethernet }, "10.99.0.1/24"));
        Assert.Equal(["eth0"], choice.Devices.Select(d => d.Name));
        var unfit = Assert.Single(choice.Unfit);
        Assert.Equal((name, ethernet), (unfit.Name, unfit.Doubtful));
        Assert.Contains("is not masqueraded", unfit.Cause, StringComparison.Ordinal);
        // The operator's choice is asked nothing.
        Assert.Empty(Of(With(Link(3, name, kind) with { Ethernet = ethernet }, "10.99.0.1/24"), patterns: ["eth0"]).Unfit);
    }

    [Fact]
    public void A_bridge_over_a_card_is_an_uplink_and_the_card_is_not()
    {
        var facts = With(Link(3, "br0", "bridge"), "10.99.0.1/24");
        Assert.Equal(["eth0", "br0"],
            Of(facts with { Links = [.. facts.Links, Link(4, "eth1") with { Master = 3 }] }).Devices.Select(d => d.Name));
        Assert.Equal("br0", Assert.Single(
            Of(facts with { Links = [.. facts.Links, Link(4, "vx0", "vxlan") with { Master = 3 }] }).Unfit).Name);
    }

    [Fact]
    public void What_leads_to_another_network_does_not_become_the_nodes_address_nor_the_MTU()
    {
        var facts = With(Link(1, "first") with { Mtu = 1300 }, "10.99.0.1/24") with
            { Links = [Link(1, "first") with { Mtu = 1300 }, Link(2, "eth0") with { Mtu = 1500 }] };
        facts = facts with { Addresses = [Address(1, "10.99.0.1/24"), Address(2, "10.0.0.7/24")] };
        var network = NodeAddressing.Of(facts, [], new("n"), UplinkMemory.None);
        Assert.Equal("10.0.0.7", network.V4?.ToString());
        Assert.Equal([2], network.Main);
        Assert.Equal(["10.99.0.1", "10.0.0.7"], network.Uplinks.Select(u => u.V4.ToString()));
        Assert.Equal(1500, UplinkMtu.Of(facts, network.Main));
    }

    [Fact]
    public void A_veth_to_another_namespace_is_a_card_and_one_within_is_none()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        using var storage = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            Make(netlink, netlink.AddVeth("eth0", "e0", storage, null, null, 1500), "192.0.2.1");
            netlink.AddRoute(new KernelRoute(IPNetwork.Parse("0.0.0.0/0"), netlink.FindLink("eth0")!.Index)
                { Gateway = IPAddress.Parse("192.0.2.254") });
            Make(netlink, netlink.AddVeth("st0", "e1", storage, null, null, 1500), "10.99.0.1");
            Make(netlink, netlink.AddVeth("in0", "in1"), "10.98.0.1");
            Make(netlink, netlink.AddBridge("docker0"), "172.17.0.1");
        });
        Assert.Equal(["eth0", "st0"], Of(node.Run(NodeNetworkState.Read)).Devices.Select(d => d.Name).Order(StringComparer.Ordinal));

        static void Make(RouteNetlink netlink, LinkInfo link, string address)
        {
            netlink.SetUp(link.Index);
            netlink.AddAddress(link.Index, IPAddress.Parse(address), 24);
        }
    }

    private static UplinkChoice Of(NodeNetworkState facts, ImmutableArray<string>? patterns = null) =>
        UplinkChoice.Of(facts, [], patterns ?? [], UplinkMemory.None);

    private static NodeNetworkState With(LinkInfo link, params string[] addresses) => Usual with
    {
        Links = [.. Usual.Links, link],
        Addresses = [.. Usual.Addresses, .. addresses.Select(a => Address(link.Index, a))],
    };

    private static LinkInfo Link(int index, string name, string kind = "") =>
        new(index, name) { Up = true, Running = true, Kind = kind, Ethernet = name != "lo" };

    private static AddressInfo Address(int ifindex, string text)
    {
        var parts = text.Split('/');
        return new(ifindex, IPAddress.Parse(parts[0]), int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture))
            { Permanent = true };
    }
}
