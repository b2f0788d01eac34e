using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using KernelRoute = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>What fits.</summary>
public class PodMtuTests
{
    private static readonly NodeNetworkState Facts = new(
        [Link(1, "lo", 65536), Link(2, "eth0", 1500), Link(3, "eth1", 9000), Link(4, "eth2", 1400, up: false)],
        [new(1, IPAddress.Loopback, 8), new(3, IPAddress.Parse("10.0.0.1"), 24)],
        [new KernelRoute(IPNetwork.Parse("0.0.0.0/0"), 2)]);

    [Fact]
    public void The_smallest_uplink_that_is_up_counts()
    {
        Assert.Equal(1500, UplinkMtu.Of(Facts, [2, 3, 4]));
        Assert.Equal(9000, UplinkMtu.Of(Facts, [3]));
    }

    [Fact]
    public void Without_uplinks_the_default_routes_count_then_addresses_then_Ethernet()
    {
        Assert.Equal(1500, UplinkMtu.Of(Facts, []));
        Assert.Equal(9000, UplinkMtu.Of(Facts with { DefaultRoutes = [] }, []));
        Assert.Equal(1500, UplinkMtu.Of(NodeNetworkState.None, []));
    }

    [Theory]
    [InlineData(RoutingMode.Direct, TunnelUnderlay.Auto, "fd00::1", 0)]
    [InlineData(RoutingMode.Auto, TunnelUnderlay.Auto, "192.0.2.1", 50)]
    [InlineData(RoutingMode.Auto, TunnelUnderlay.Auto, "fd00::1", 70)]
    [InlineData(RoutingMode.Tunnel, TunnelUnderlay.IPv4, "fd00::1", 50)]
    [InlineData(RoutingMode.Tunnel, TunnelUnderlay.IPv6, "192.0.2.1", 70)]
    public void Encapsulation_is_left_room_for_wherever_it_may_be_needed(
        RoutingMode mode, TunnelUnderlay underlay, string own, int bytes) =>
        Assert.Equal(bytes, Encapsulation.Bytes(
            new RoutingContext { Mode = mode, Underlay = underlay, InternalIPs = [Addr.Parse(own)] }, DesiredState.Empty));

    [Fact]
    public void A_peer_that_is_reached_over_IPv6_decides()
    {
        var desired = DesiredState.Empty with
            { Prefixes = [new DesiredPrefix(Addr.Parse("10.244.1.0"), 24, IpcacheFlags.Pod, Addr.Parse("fd00::2"))] };
        Assert.Equal(70, Encapsulation.Bytes(new RoutingContext { InternalIPs = [Addr.Parse("192.0.2.1")] }, desired));
    }

    [Fact]
    public void Who_waits_for_a_change_hears_of_it_and_an_operators_choice_stays()
    {
        var mtu = new PodMtu(new SyncOptions("n"));
        var changed = mtu.Changed;
        Assert.Equal(1450, mtu.Set(1500, 50));
        Assert.True(changed.IsCompleted);
        changed = mtu.Changed;
        Assert.Equal(1450, mtu.Set(1500, 50));
        Assert.False(changed.IsCompleted);
        Assert.Equal(1280, mtu.Set(1280, 70));
        Assert.Equal(1280, mtu.Value);
        Assert.Equal(1500, mtu.Set(1500, 0));

        var chosen = new PodMtu(new SyncOptions("n") { Mtu = 1400 });
        Assert.Equal(8950, chosen.Set(9000, 50));
        Assert.Equal(1400, chosen.Value);
    }

    private static LinkInfo Link(int index, string name, int mtu, bool up = true) =>
        new(index, name) { Mtu = mtu, Up = up, Ethernet = true };
}
