using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sync.Tests.Apply;

/// <summary>InternalIPs on a tun device, as with WireGuard: what fits through it counts, although it is no uplink.</summary>
public class UnderlayMtuTests
{
    [Fact]
    public void What_fits_through_the_device_of_the_InternalIPs_counts()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            Nodes("10.8.0.1/24");
            var network = NodeAddressing.Of(NodeNetworkState.Read(), ["10.8.0.1"], new("n"), UplinkMemory.None);
            Assert.Equal(["eth0"], network.Uplinks.Select(u => u.Name));
            Assert.Equal(1420, UplinkMtu.Of(NodeNetworkState.Read(), network.Main.Union(network.InternalDevices)));
            // Control: an InternalIP on the uplink.
            network = NodeAddressing.Of(NodeNetworkState.Read(), ["192.0.2.1"], new("n"), UplinkMemory.None);
            Assert.Equal(1500, UplinkMtu.Of(NodeNetworkState.Read(), network.Main.Union(network.InternalDevices)));
        });
    }

    [Fact]
    public void So_does_the_device_by_which_a_peer_is_reached()
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            Nodes("10.8.0.1/32");
            Ip("route add 10.9.0.0/24 dev tun0");
            var (facts, mtu) = (NodeNetworkState.Read(), new UnderlayMtu());
            Assert.Equal(1420, mtu.Of(facts, [Tunnelled("10.9.0.7")]));
            Assert.Equal(1500, mtu.Of(facts, [Tunnelled("192.0.2.7")]));
            Assert.Equal(1500, mtu.Of(facts, [Tunnelled("203.0.113.7")]));
            Assert.Equal(1420, mtu.Of(facts, [Tunnelled("203.0.113.7"), Tunnelled("10.9.0.7")]));
            Assert.Null(mtu.Of(facts, [Tunnelled("10.9.0.7") with { Tunnel = null }]));
        });
    }

    private static void Nodes(string address)
    {
        using var netlink = RouteNetlink.Open();
        var eth0 = netlink.AddVeth("eth0", "peer0");
        netlink.SetUp(eth0.Index);
        netlink.SetUp(netlink.FindLink("peer0")!.Index);
        netlink.AddAddress(eth0.Index, IPAddress.Parse("192.0.2.1"), 24);
        Ip("route add default via 192.0.2.254");
        Ip("tuntap add tun0 mode tun");
        Ip("link set tun0 mtu 1420 up");
        Ip($"address add {address} dev tun0");
    }

    private static DesiredPrefix Tunnelled(string peer) => new(Addr.Parse("10.244.1.0"), 24, IpcacheFlags.Pod, Addr.Parse(peer));

    private static void Ip(string arguments)
    {
        using var ip = System.Diagnostics.Process.Start("ip", arguments);
        ip.WaitForExit();
        Assert.Equal(0, ip.ExitCode);
    }
}
