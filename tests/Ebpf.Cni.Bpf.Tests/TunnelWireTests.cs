using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Who reaches whom through a tunnel, and as whom: real kernels, real VXLAN devices, and a router between the nodes that knows no pod.
/// </summary>
public sealed class TunnelWireTests
{
    private const int Bulk = 8 * 1024 * 1024, Some = 256 * 1024, Port = 30080;
    private const ConfigFlags Usual = ConfigFlags.RedirectPeer | ConfigFlags.Masquerade;

    /// <summary>IPv6 around, IPv6 inside, protocol.</summary>
    public static TheoryData<bool, bool, ProtocolType> Kinds =>
        [.. from underlay in new[] { false, true }
            from v6 in new[] { false, true }
            from protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp }
            select new TheoryDataRow<bool, bool, ProtocolType>(underlay, v6, protocol)];

    [Theory, MemberData(nameof(Kinds))]
    public void Pods_talk_to_each_other_as_themselves(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        Assert.Equal(Address.Client(v6), Reach(town.One.Pod, town.Other.Pod, Address.Remote(v6), protocol, Bulk));
        foreach (var node in new[] { town.One, town.Other })
        {
            Assert.True(node.Programs.Count(Reason.Delivered, Hook.OverlayIngress) > 0, node.Programs.Counts());
            // what is encapsulated is counted once, where it comes out
            Assert.True(node.Programs.Count(Reason.Forwarded, Hook.UplinkIngress) < Bulk / 1000, node.Programs.Counts());
            NothingLost(node);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_and_another_node_talk_through_the_tunnel(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual & ~ConfigFlags.RedirectPeer);
        Assert.Equal(Address.Client(v6), Reach(town.One.Pod, town.Other.Namespace, town.Other.At(v6), protocol, Some));
        Assert.Equal(town.One.At(v6), Reach(town.One.Namespace, town.Other.Pod, Address.Remote(v6), protocol, Some));
        NothingLost(town.One);
        NothingLost(town.Other);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Nodes_talk_to_each_other_as_if_there_were_no_tunnel(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        Assert.Equal(town.One.At(v6), Reach(town.One.Namespace, town.Other.Namespace, town.Other.At(v6), protocol, Some));
        Assert.Equal(0UL, Enum.GetValues<Reason>().Aggregate(0UL, (sum, r) => sum + town.Other.Programs.Count(r, Hook.OverlayIngress)));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_service_of_a_pod_leads_into_the_tunnel(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        Assert.Equal(Address.Client(v6), Serve(town, town.One.Pod, Address.Vip(v6), town.Other.Pod, Address.Remote(v6), protocol, Bulk));
        NothingLost(town.One);
        NothingLost(town.Other);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_leads_from_outside_into_the_tunnel_and_back(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        // datagrams that are too big for the tunnel are another test's
        var bulk = protocol == ProtocolType.Tcp ? Bulk : 1200;
        Assert.Equal(town.One.At(v6), Serve(town, town.Outside, town.One.At(v6), town.Other.Pod, Address.Remote(v6), protocol, bulk));
        Assert.DoesNotContain("Rewrite", town.One.Programs.Counts(), StringComparison.Ordinal);
        NothingLost(town.Other);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_asks_the_other_nodes_port_for_itself(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        using var server = Town.Socket(town.One.Pod, Address.Client(v6), protocol);
        using var client = Town.Caller(town.One.Pod, v6, protocol);
        var to = IPEndPoint.Parse(Address.At(town.Other.At(v6), Port));
        town.Other.Programs.AddService(to.ToString(), Abi(protocol), server.LocalEndPoint!.ToString()!);
        // through the tunnel, translated there, and back by the same way twice
        Assert.Equal(town.Other.At(v6), TunnelTown.Converse(client, server, to, protocol, Some).ToString());
        NothingLost(town.One);
        NothingLost(town.Other);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_runs_on_a_node_answers_for_a_service_through_the_tunnel(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual);
        using var server = Town.Socket(town.Other.Namespace, town.Other.At(v6), protocol);
        using var client = Town.Caller(town.One.Pod, v6, protocol);
        var to = IPEndPoint.Parse(Address.At(town.Other.At(v6), Port));
        town.Other.Programs.SetService(PodPrograms.Key(to.ToString(), Abi(protocol)), SvcFlags.None, BackendFlags.Local,
            server.LocalEndPoint!.ToString()!);
        Assert.Equal(Address.Client(v6), TunnelTown.Converse(client, server, to, protocol, Some).ToString());
        Assert.True(town.Other.Programs.Count(Reason.Reply, Hook.OverlayEgress) > 0, town.Other.Programs.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_with_sources_kept_shows_the_node_all_the_same(bool underlay, bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlay, Usual | ConfigFlags.KeepSource);
        Assert.Equal(town.One.At(v6), Serve(town, town.Outside, town.One.At(v6), town.Other.Pod, Address.Remote(v6), protocol, 1200));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Without_socket_hooks_the_nodes_own_connections_take_the_tunnel(bool underlay, bool v6, ProtocolType protocol)
    {
        // the answers have the service's address again, which no route leads to by way of the tunnel
        using var town = new TunnelTown(underlay, Usual, strict: underlay);
        town.One.TranslateItsOwn();
        Assert.Equal(town.One.At(v6), Serve(town, town.One.Namespace, Address.Vip(v6), town.Other.Pod, Address.Remote(v6), protocol,
            protocol == ProtocolType.Tcp ? Bulk : 1200));
        Assert.True(town.One.Programs.Count(Reason.Service, Hook.HostEgress) > 0, town.One.Programs.Counts());
    }

    [Theory, InlineData(false, false), InlineData(false, true), InlineData(true, false), InlineData(true, true)]
    public void Errors_come_back_through_the_tunnel(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual);
        town.One.Programs.AddService(Address.At(Address.Vip(v6), 53), IpProtocol.Udp, Address.At(Address.Remote(v6), 5353));
        foreach (var to in new[] { Address.At(Address.Vip(v6), 53), Address.At(Address.Remote(v6), 5353),
            Address.At(town.Other.At(v6), 5353) })
        {
            using var client = Town.Caller(town.One.Pod, v6, ProtocolType.Udp);
            client.Connect(IPEndPoint.Parse(to));
            client.Send("anybody?"u8);
            Assert.Equal(SocketError.ConnectionRefused,
                Assert.Throws<SocketException>(() => client.Receive(new byte[100])).SocketErrorCode);
        }
    }

    private static IpProtocol Abi(ProtocolType protocol) => protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp;

    private static string Reach(NetworkNamespace from, NetworkNamespace where, string address, ProtocolType protocol, int bulk)
    {
        using var server = Town.Socket(where, address, protocol);
        using var client = Town.Caller(from, address.Contains(':', StringComparison.Ordinal), protocol);
        return TunnelTown.Converse(client, server, (IPEndPoint)server.LocalEndPoint!, protocol, bulk).ToString();
    }

    /// <summary>A service of the first node with one backend.</summary>
    private static string Serve(TunnelTown town, NetworkNamespace from, string frontend, NetworkNamespace where, string address,
        ProtocolType protocol, int bulk)
    {
        using var server = Town.Socket(where, address, protocol);
        using var client = Town.Caller(from, address.Contains(':', StringComparison.Ordinal), protocol);
        var to = IPEndPoint.Parse(Address.At(frontend, Port));
        town.One.Programs.AddService(to.ToString(), Abi(protocol), server.LocalEndPoint!.ToString()!);
        return TunnelTown.Converse(client, server, to, protocol, bulk).ToString();
    }

    private static void NothingLost(TunnelTown.Node node) => Assert.False(
        Enum.GetValues<Hook>().Any(hook => Enum.GetValues<Reason>()
            .Any(reason => reason >= Metric.FirstDrop && !IsSmallTalk(reason, hook) && node.Programs.Count(reason, hook) > 0)),
        node.Programs.Counts());

    // a kernel greets routers and joins groups on every link that comes up
    private static bool IsSmallTalk(Reason reason, Hook hook) => (reason, hook) == (Reason.LinkLocal, Hook.PodEgress);
}
