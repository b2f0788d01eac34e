using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A node that is asked for a service of the Cluster policy hands on to a pod elsewhere without hiding who asks, and the pod's node answers
/// by the way on which it was asked. Real packets: somebody outside, the node that is asked ("front"), the pod's node, all on one network.
/// </summary>
public sealed class WayBackTests
{
    private const ConfigFlags Keep = ConfigFlags.KeepSource | ConfigFlags.Masquerade;
    private const int NodePort = 30080;

    public static TheoryData<bool, ProtocolType> Kinds => UplinkWireTests.Kinds;

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_elsewhere_sees_who_calls_and_answers_by_the_node_that_was_asked(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        var front = town.AddFront(Keep);
        using var server = Serve(town, front, v6, protocol);
        Assert.Equal(Town.OutsideAddress(v6), Converse(town.Outside, Front(v6), server, protocol));
        Assert.True(front.Count(Reason.Reply, Hook.UplinkIngress) > 0, front.Counts());
        Assert.DoesNotContain("Drop", front.Counts() + town.Programs.Counts(), StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Without_the_option_it_sees_the_node_that_was_asked(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        using var server = Serve(town, town.AddFront(ConfigFlags.Masquerade), v6, protocol);
        Assert.Equal(Town.FrontAddress(v6), Converse(town.Outside, Front(v6), server, protocol));
    }

    /// <summary>The second case is the control: what this is good for.</summary>
    [Theory, InlineData(false, true), InlineData(true, true), InlineData(false, false), InlineData(true, false)]
    public void The_answer_comes_from_who_was_asked_only_if_the_pods_node_knows_the_way(bool v6, bool knows)
    {
        using var town = new Town(knows ? Keep : ConfigFlags.Masquerade);
        using var server = Serve(town, town.AddFront(Keep), v6, ProtocolType.Udp);
        using var client = Town.Socket(town.Outside, Town.OutsideAddress(v6), ProtocolType.Udp); // hears everybody
        client.SendTo("hello"u8, Front(v6));
        var from = Hear(server);
        server.SendTo("you too"u8, from);
        Assert.Equal(knows ? Front(v6) : server.LocalEndPoint, Hear(client));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_the_pod_refuses_is_refused_by_the_node_that_was_asked(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        using (Serve(town, town.AddFront(Keep), v6, protocol))
        {
            // nobody listens there once this is closed: a reset, and an ICMP error
        }
        using var client = Town.Caller(town.Outside, v6, protocol);
        var refused = Assert.Throws<SocketException>(() =>
        {
            client.Connect(Front(v6));
            client.Send("hello"u8);
            client.Receive(new byte[100]);
        });
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Nodes_and_pods_that_ask_another_node_are_hidden_as_they_are_answered_directly(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        using var server = Serve(town, town.AddFront(Keep), v6, protocol);
        Assert.Equal(Town.FrontAddress(v6), Converse(town.Peer, Front(v6), server, protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_backend_that_is_no_pod_sees_the_node_that_was_asked(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        var front = town.AddFront(Keep);
        using var server = Town.Socket(town.Peer, Town.PeerAddress(v6), protocol);
        front.SetService(PodPrograms.Key(Front(v6).ToString(), Abi(protocol)), SvcFlags.None, server.LocalEndPoint!.ToString()!);
        Assert.Equal(Town.FrontAddress(v6), Converse(town.Outside, Front(v6), server, protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_behind_a_router_sees_the_node_that_was_asked(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        using var server = Serve(town, town.AddFront(Keep, routed: true), v6, protocol);
        Assert.Equal(Town.FrontAddress(v6), Converse(town.Outside, Front(v6), server, protocol));
    }

    [Theory, InlineData(Keep), InlineData(ConfigFlags.KeepSource), InlineData(ConfigFlags.Masquerade), InlineData(ConfigFlags.None)]
    public void Who_asks_a_pod_directly_is_answered_by_it_whatever_the_options(ConfigFlags flags)
    {
        using var town = new Town(flags);
        town.ShowPods();
        foreach (var row in Kinds)
        {
            var (v6, protocol) = row.Data;
            using var server = Town.Socket(town.Server, Address.Server(v6), protocol);
            Assert.Equal(Town.OutsideAddress(v6), Converse(town.Outside, (IPEndPoint)server.LocalEndPoint!, server, protocol));
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_a_pod_begins_leaves_as_the_node_also_with_sources_kept(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Keep);
        using var server = Town.Socket(town.Outside, Town.OutsideAddress(v6), protocol);
        Assert.Equal(Town.NodeAddress(v6), Converse(town.Client, (IPEndPoint)server.LocalEndPoint!, server, protocol));
    }

    /// <summary>A router that fails over, a client whose card was changed.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void Answers_follow_a_neighbour_whose_MAC_address_changes(bool v6)
    {
        using var town = new Town(Keep);
        town.ShowPods();
        using var server = Town.Socket(town.Server, Address.Server(v6), ProtocolType.Udp);
        using var client = Town.Caller(town.Outside, v6, ProtocolType.Udp);
        client.Connect(server.LocalEndPoint!);
        foreach (var mac in new[] { "02:00:00:00:00:01", "02:00:00:00:00:02" })
        {
            town.Outside.Run(() =>
            {
                using var ip = Process.Start(new ProcessStartInfo("ip", ["link", "set", "dev", "eth0", "address", mac]))!;
                ip.WaitForExit();
                Assert.Equal(0, ip.ExitCode);
            });
            client.Send("hello"u8);
            server.SendTo("you too"u8, Hear(server));
            Assert.Equal("you too"u8.Length, client.Receive(new byte[100]));
        }
    }

    private static IPEndPoint Front(bool v6) => IPEndPoint.Parse(Address.At(Town.FrontAddress(v6), NodePort));

    private static IpProtocol Abi(ProtocolType protocol) => protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp;

    /// <summary>A pod of the town's node that the front's node port leads to.</summary>
    private static Socket Serve(Town town, PodPrograms front, bool v6, ProtocolType protocol)
    {
        var server = Town.Socket(town.Server, Address.Server(v6), protocol);
        front.SetService(PodPrograms.Key(Front(v6).ToString(), Abi(protocol)), SvcFlags.None, server.LocalEndPoint!.ToString()!);
        return server;
    }

    private static EndPoint Hear(Socket socket)
    {
        EndPoint from = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        socket.ReceiveFrom(new byte[4000], ref from);
        return from;
    }

    /// <summary>There and back, with segments and with datagrams of several fragments; returns whom the server saw.</summary>
    private static string Converse(NetworkNamespace who, IPEndPoint to, Socket server, ProtocolType protocol)
    {
        using var client = Town.Caller(who, to.AddressFamily == AddressFamily.InterNetworkV6, protocol);
        client.Connect(to);
        if (protocol == ProtocolType.Tcp)
        {
            using var accepted = server.Accept();
            Transfers.BothWays(client, accepted, 1024 * 1024);
            return ((IPEndPoint)accepted.RemoteEndPoint!).Address.ToString();
        }
        EndPoint from = to;
        var said = new byte[3000];
        Random.Shared.NextBytes(said);
        var heard = new byte[4000];
        for (var round = 0; round < 3; round++)
        {
            client.Send(said);
            from = Hear(server);
            server.SendTo(said, from);
            Assert.Equal(said.Length, client.Receive(heard));
            Assert.Equal(said, heard[..said.Length]);
        }
        return ((IPEndPoint)from).Address.ToString();
    }
}
