using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>Which devices get the uplinks' programs: VLANs, bonds, bridges, tunnels, and what is away for a moment.</summary>
public class UplinkChoiceTests
{
    private static readonly LinkInfo Eth0 = Link(2, "eth0"), Eth1 = Link(3, "eth1"), Docker = Link(4, "docker0", "bridge");

    /// <summary>A node like most: one way out, where its InternalIP is, and a bridge of somebody else's.</summary>
    private static readonly NodeNetworkState Usual = new(
        [Link(1, "lo"), Eth0, Docker], [Address(2, "10.0.0.7"), Address(4, "172.17.0.1")], [Default("0.0.0.0/0", 2)]);

    [Fact]
    public void A_VLAN_device_is_an_uplink_and_the_device_below_it_is_not()
    {
        var facts = new NodeNetworkState([Eth0, Link(5, "eth0.10", "vlan")], [Address(5, "10.0.0.7")], [Default("0.0.0.0/0", 5)]);
        Assert.Equal("eth0.10", Names(Of(facts)));
    }

    [Fact]
    public void A_VLAN_device_and_the_one_below_it_are_both_uplinks_where_both_lead_here()
    {
        var facts = new NodeNetworkState(
            [Eth0, Link(5, "eth0.10", "vlan")], [Address(2, "192.0.2.7"), Address(5, "10.0.0.7")], [Default("0.0.0.0/0", 2)]);
        Assert.Equal("eth0 eth0.10", Names(Of(facts, internalIPs: "10.0.0.7")));
    }

    [Theory]
    [InlineData("bond")]
    [InlineData("team")]
    [InlineData("bridge")]
    public void A_bond_is_an_uplink_and_its_members_are_not(string kind)
    {
        var facts = new NodeNetworkState(
            [Eth0 with { Master = 6 }, Eth1 with { Master = 6 }, Link(6, "bond0", kind)], [Address(6, "10.0.0.7")], [Default("::/0", 6)]);
        Assert.Equal("bond0", Names(Of(facts)));
        Assert.Empty(Of(facts).Unfit);
        // Not even when a pattern names them too: each frame would be translated twice.
        var named = Of(facts, patterns: ["bond0", "eth*"]);
        Assert.Equal("bond0", Names(named));
        Assert.Equal(["eth0", "eth1"], named.Unfit.Select(u => u.Name));
        Assert.All(named.Unfit, u => Assert.Contains("bond0", u.Cause, StringComparison.Ordinal));
    }

    [Fact]
    public void A_member_of_a_VRF_keeps_its_frames_and_is_an_uplink() => Assert.Equal("eth0", Names(Of(
        new NodeNetworkState([Eth0 with { Master = 6 }, Link(6, "blue", "vrf")], [Address(2, "10.0.0.7")], []), internalIPs: "10.0.0.7")));

    [Fact]
    public void Several_default_routes_are_several_uplinks() => Assert.Equal("eth0 eth1", Names(Of(
        new NodeNetworkState([Eth0, Eth1], [], [Default("0.0.0.0/0", 2), Default("0.0.0.0/0", 3) with { Metric = 100 }]))));

    [Theory]
    [InlineData("wireguard")]
    [InlineData("tun")]
    [InlineData("")]
    public void What_is_not_Ethernet_is_named_and_nothing_takes_its_place(string kind)
    {
        var facts = new NodeNetworkState(
            [Eth0, Docker, Link(7, "wg0", kind) with { Ethernet = false }], [Address(7, "10.0.0.7"), Address(4, "172.17.0.1")],
            [Default("0.0.0.0/0", 7)]);
        var choice = Of(facts);
        Assert.Equal("", Names(choice));
        var unfit = Assert.Single(choice.Unfit);
        Assert.Equal("wg0", unfit.Name);
        Assert.Contains("NodePorts", unfit.Cause, StringComparison.Ordinal);
        Assert.Equal("eth0", Names(Of(facts with { DefaultRoutes = [.. facts.DefaultRoutes, Default("::/0", 2)] })));
    }

    [Fact]
    public void Without_a_way_out_bridges_of_containers_and_tunnels_are_no_uplinks()
    {
        var facts = Usual with { DefaultRoutes = [], Links = [.. Usual.Links, Link(8, "ecni-vxlan", "vxlan")],
            Addresses = [.. Usual.Addresses, Address(8, "10.9.0.1")] };
        Assert.Equal("eth0", Names(Of(facts)));
        // A bridge over the node's own card is how others reach it.
        Assert.Equal("docker0",
            Names(Of(facts with { Links = [Eth0 with { Master = 4 }, Docker], Addresses = [Address(4, "172.17.0.1")] })));
        Assert.Equal("", Names(
            Of(facts with { Links = [Docker, Link(9, "veth1", "veth") with { Master = 4 }], Addresses = [Address(4, "172.17.0.1")] })));
    }

    [Fact]
    public void What_is_lost_for_a_moment_does_not_make_another_device_the_uplink()
    {
        var before = Of(Usual, internalIPs: "10.0.0.7");
        Assert.Equal("eth0", Names(before));
        var lost = Usual with { Addresses = [Address(4, "172.17.0.1")], DefaultRoutes = [] };
        var during = Of(lost, before.Memory, internalIPs: "10.0.0.7");
        Assert.Equal("eth0", Names(during));
        // And for longer than one look; also with the device switched off, or away.
        Assert.Equal("eth0", Names(Of(lost with { Links = [Eth0 with { Up = false }, Docker] }, during.Memory, internalIPs: "10.0.0.7")));
        Assert.Equal("", Names(Of(lost with { Links = [Docker] }, during.Memory, internalIPs: "10.0.0.7")));
        // Control: what holds it is the memory.
        Assert.Equal("", Names(Of(lost)));
    }

    [Fact]
    public void A_device_that_was_lost_stays_beside_those_that_are_there()
    {
        // No network of its own would make it one.
        var both = new NodeNetworkState([Eth0, Eth1], [Address(2, "192.0.2.7"), Address(3, "10.0.0.7") with { PrefixLength = 32 }],
            [Default("0.0.0.0/0", 2)]);
        var before = Of(both, internalIPs: "10.0.0.7");
        Assert.Equal("eth0 eth1", Names(before));
        Assert.Equal("eth0 eth1", Names(Of(both with { Addresses = [Address(2, "192.0.2.7")] }, before.Memory, internalIPs: "10.0.0.7")));
        Assert.Equal("eth0 eth1", Names(Of(both with { DefaultRoutes = [] }, before.Memory, internalIPs: "10.0.0.7")));
        // An address that the Node has no more holds nothing, and one that moved takes its device along.
        Assert.Equal("eth0", Names(Of(both, before.Memory, internalIPs: "192.0.2.7")));
        Assert.Equal("eth0", Names(Of(both with { Addresses = [Address(2, "10.0.0.7")] }, before.Memory, internalIPs: "10.0.0.7")));
    }

    [Fact]
    public void A_device_that_is_replaced_is_known_by_its_name()
    {
        var before = Of(Usual, internalIPs: "10.0.0.7");
        var replaced = Usual with { Links = [Docker, Link(20, "eth0")], Addresses = [Address(4, "172.17.0.1")], DefaultRoutes = [] };
        Assert.Equal(20, Assert.Single(Of(replaced, before.Memory, internalIPs: "10.0.0.7").Devices).Index);
    }

    [Fact]
    public void Patterns_take_devices_that_appear_later()
    {
        Assert.Equal("eth0", Names(Of(Usual, patterns: ["eth*"])));
        Assert.Equal("eth0 eth1", Names(Of(Usual with { Links = [.. Usual.Links, Eth1] }, patterns: ["eth*"])));
    }

    private static UplinkChoice Of(NodeNetworkState facts, UplinkMemory? memory = null, ImmutableArray<string>? patterns = null,
        params string[] internalIPs) =>
        UplinkChoice.Of(facts, [.. internalIPs.Select(IPAddress.Parse)], patterns ?? [], memory ?? UplinkMemory.None);

    private static string Names(UplinkChoice choice) => string.Join(' ', choice.Devices.Select(d => d.Name));

    private static LinkInfo Link(int index, string name, string kind = "") =>
        new(index, name) { Up = true, Running = true, Kind = kind, Ethernet = name != "lo" };

    private static AddressInfo Address(int ifindex, string address) => new(ifindex, IPAddress.Parse(address), 24) { Permanent = true };

    private static KernelRoute Default(string destination, int ifindex) => new(IPNetwork.Parse(destination), ifindex);
}
