using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Pods.Tests.Interfaces;

/// <summary>
/// A pod that sends whatever it likes, below its own stack: nothing but its own packets to another's address gets to anybody.
/// </summary>
public sealed class PodIsolationTests(ITestOutputHelper log)
{
    private static readonly byte[] Mark = "ebpf-cni isolation test"u8.ToArray();

    [Fact]
    public async Task Broadcast_multicast_ARP_and_discovery_of_a_pod_reach_no_other_pod()
    {
        using var town = await Pair.Make();
        var (a, b) = (town.A, town.B);
        await town.Silent(b, log.WriteLine, new()
        {
            ["broadcast"] = Frames.Udp(a.Mac, Frames.Broadcast, a.V4, "255.255.255.255", Mark),
            ["multicast DNS"] = Frames.Udp(a.Mac, [1, 0, 0x5e, 0, 0, 0xfb], a.V4, "224.0.0.251", Mark),
            ["organisation-local multicast"] = Frames.Udp(a.Mac, [1, 0, 0x5e, 1, 2, 3], a.V4, "239.1.2.3", Mark),
            ["all nodes"] = Frames.Udp(a.Mac, [0x33, 0x33, 0, 0, 0, 1], a.V6, "ff02::1", Mark),
            ["site-local multicast"] = Frames.Udp(a.Mac, [0x33, 0x33, 0, 0, 0, 1], a.V6, "ff05::1", Mark),
            ["global multicast"] = Frames.Udp(a.Mac, [0x33, 0x33, 0, 0, 0, 1], a.V6, "ff0e::1", Mark),
            ["who has the other pod"] = Frames.Arp(1, a.Mac, Frames.Broadcast, a.V4, b.V4, Mark),
            ["its own address, unasked"] = Frames.Arp(2, a.Mac, Frames.Broadcast, a.V4, a.V4, Mark),
            ["its own IPv6 address, unasked"] = Frames.Advertisement(a.Mac, [0x33, 0x33, 0, 0, 0, 1], a.V6, "ff02::1", a.V6, Mark),
            ["to the other pod's link-local address"] = Frames.Udp(a.Mac, a.HostMac, a.V6, b.LinkLocal, Mark),
            ["broadcast on the wire, the other pod in the packet"] = Frames.Advertisement(a.Mac, a.HostMac, "fe80::1", b.V6, a.V6, Mark),
        });
    }

    [Fact]
    public async Task Forged_addresses_tags_and_claims_reach_nobody()
    {
        using var town = await Pair.Make();
        var (a, b) = (town.A, town.B);
        var before = Drops();
        var forged = new Dictionary<string, byte[]>
        {
            ["the node as the source"] = Frames.Udp(a.Mac, a.HostMac, Pair.Node4, b.V4, Mark),
            ["a neighbour as the source"] = Frames.Udp(a.Mac, a.HostMac, "10.201.0.77", b.V4, Mark),
            ["the other pod as its own source"] = Frames.Udp(a.Mac, a.HostMac, b.V4, b.V4, Mark),
            ["the node as the source, IPv6"] = Frames.Udp(a.Mac, a.HostMac, Pair.Node6, b.V6, Mark),
            ["a neighbour as the source, IPv6"] = Frames.Udp(a.Mac, a.HostMac, "fd00:201::77", b.V6, Mark),
            ["a multicast source"] = Frames.Udp(a.Mac, a.HostMac, "224.0.0.1", b.V4, Mark),
            ["a broadcast source"] = Frames.Udp(a.Mac, a.HostMac, "255.255.255.255", b.V4, Mark),
            ["a multicast source, IPv6"] = Frames.Udp(a.Mac, a.HostMac, "ff02::1", b.V6, Mark),
            ["a loopback source"] = Frames.Udp(a.Mac, a.HostMac, "127.0.0.1", b.V4, Mark),
            ["a loopback source, IPv6"] = Frames.Udp(a.Mac, a.HostMac, "::1", b.V6, Mark),
            ["the unspecified source, IPv6"] = Frames.Udp(a.Mac, a.HostMac, "::", b.V6, Mark),
            ["another MAC address"] = Frames.Udp(b.Mac, a.HostMac, a.V4, b.V4, Mark),
            ["another MAC address, IPv6"] = Frames.Udp(b.Mac, a.HostMac, a.V6, b.V6, Mark),
            ["a VLAN tag"] = FrameSocket.Tagged(Frames.Udp(a.Mac, a.HostMac, a.V4, b.V4, Mark), 10),
            ["a VLAN tag, IPv6"] = FrameSocket.Tagged(Frames.Udp(a.Mac, a.HostMac, a.V6, b.V6, Mark), 0),
            ["two VLAN tags"] = FrameSocket.Tagged(FrameSocket.Tagged(Frames.Udp(a.Mac, a.HostMac, a.V4, b.V4, Mark), 10), 20),
            ["ARP: the other pod is here"] = Frames.Arp(2, a.Mac, a.HostMac, b.V4, Pair.Node4, Mark),
            ["ARP: the gateway is here"] = Frames.Arp(2, a.Mac, Frames.Broadcast, "169.254.1.1", b.V4, Mark),
        };
        await town.Silent(b, log.WriteLine, forged);
        Assert.True(Drops() - before >= (ulong)forged.Count, $"{Drops() - before} of {forged.Count} were counted as dropped");

        ulong Drops() => town.Node.Dataplane.Counters.Read()
            .Where(r => r.Hook == Hook.PodEgress
                && r.Reason is Reason.SourceAddress or Reason.SourceMac or Reason.Protocol or Reason.LinkLocal)
                .Aggregate(0ul, (sum, r) => sum + r.Packets);
    }

    [Fact]
    public async Task What_a_pod_claims_about_others_changes_nobodys_neighbours()
    {
        using var town = await Pair.Make();
        var (a, b) = (town.A, town.B);
        var (node, other) = (Pair.Neighbours(town.Node.Namespace), Pair.Neighbours(b.Namespace));
        foreach (var claimed in (string[])[b.V6, Pair.Node6, "fe80::ecc:1", a.V6])
        {
            town.Send(a, Frames.Advertisement(a.Mac, a.HostMac, "fe80::1", a.HostLinkLocal, claimed, []));
            town.Send(a, Frames.Advertisement(a.Mac, [0x33, 0x33, 0, 0, 0, 1], a.V6, "ff02::1", claimed, []));
        }

        foreach (var claimed in (string[])[b.V4, Pair.Node4, "169.254.1.1"])
            town.Send(a, Frames.Arp(2, a.Mac, a.HostMac, claimed, Pair.Node4, []));
        // What came first was handled first: the pod's own answer has been through the node's stack when it arrives.
        Assert.Equal("hello", Pair.Talk(town.Node.Namespace, a.Namespace, IPAddress.Parse(a.V6)));
        Assert.Equal(node, Pair.Neighbours(town.Node.Namespace));
        Assert.Equal(other, Pair.Neighbours(b.Namespace));
        foreach (var address in (string[])[b.V4, b.V6])
        {
            Assert.Equal("hello", Pair.Talk(a.Namespace, b.Namespace, IPAddress.Parse(address)));
            Assert.Equal("hello", Pair.Talk(town.Node.Namespace, b.Namespace, IPAddress.Parse(address)));
        }
    }

    /// <summary>As on a node where kube-proxy has been: 127.0.0.1 is routed on all devices until the next boot.</summary>
    [Fact]
    public async Task A_pod_does_not_reach_what_listens_on_the_nodes_loopback()
    {
        using var town = await Pair.Make();
        var a = town.A;
        town.Node.Namespace.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/conf/all/route_localnet", "1");
            using var netlink = RouteNetlink.Open();
            netlink.SetUp(1);
        });
        using var loopback = Bind("127.0.0.1");
        using var control = Bind(Pair.Node4);
        foreach (var listener in (Socket[])[loopback, control])
        {
            var to = (IPEndPoint)listener.LocalEndPoint!;
            var frame = Frames.Udp(a.Mac, a.HostMac, a.V4, to.Address.ToString(), Mark);
            (frame[36], frame[37]) = ((byte)(to.Port >> 8), (byte)to.Port);
            town.Send(a, frame);
        }

        Assert.Equal(Mark.Length, control.Receive(new byte[100])); // and what was sent before has not arrived
        Assert.Equal(0, loopback.Available);
        Assert.Contains(town.Node.Dataplane.Counters.Read(),
            r => r.Hook == Hook.PodEgress && r.Reason == Reason.Loopback && r.Packets == 1);

        Socket Bind(string address) => town.Node.Namespace.Run(() =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
            socket.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
            return socket;
        });
    }
}
