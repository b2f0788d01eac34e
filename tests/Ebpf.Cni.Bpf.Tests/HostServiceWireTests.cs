using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>The node's own sockets without socket hooks: what they send is translated where it leaves, answers where they arrive.</summary>
public sealed class HostServiceWireTests
{
    public enum Backend
    {
        Pod,
        Elsewhere,
        Node,
    }

    public static TheoryData<bool, ProtocolType, Backend> Kinds
    {
        get
        {
            var data = new TheoryData<bool, ProtocolType, Backend>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                    foreach (var backend in Enum.GetValues<Backend>())
                        data.Add(v6, protocol, backend);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_cluster_address_is_reached(bool v6, ProtocolType protocol, Backend backend) =>
        Reach(Address.Vip(v6), v6, protocol, backend);

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_is_reached_by_the_nodes_address(bool v6, ProtocolType protocol, Backend backend) =>
        Reach(Town.NodeAddress(v6), v6, protocol, backend);

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_is_reached_by_the_loopback_address(bool v6, ProtocolType protocol, Backend backend) =>
        Reach(v6 ? "::1" : "127.0.0.1", v6, protocol, backend);

    /// <summary>The node's kernel refuses the answer in the name of the client; the refusal is translated as the question was.</summary>
    [Theory]
    [InlineData(false, Backend.Pod), InlineData(true, Backend.Pod)]
    [InlineData(false, Backend.Elsewhere), InlineData(true, Backend.Elsewhere)]
    public void A_backend_hears_that_the_client_is_gone(bool v6, Backend backend)
    {
        using var town = new Town(ConfigFlags.RedirectPeer);
        town.TranslateTheNodesOwn();
        var (server, to) = Serve(town, Address.Vip(v6), v6, ProtocolType.Udp, backend);
        using var _ = server;
        using (var client = Town.Caller(town.Node, v6, ProtocolType.Udp))
        {
            client.SendTo("question"u8, to);
            EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            Assert.Equal("question".Length, server.ReceiveFrom(new byte[100], ref from));
            server.Connect(from);
        }
        server.Send("answer"u8);
        var refused = Assert.Throws<SocketException>(() => server.Receive(new byte[100]));
        Assert.True(refused.SocketErrorCode == SocketError.ConnectionRefused, $"{refused.SocketErrorCode}; {town.Programs.Counts()}");
    }

    private static (Socket Server, IPEndPoint To) Serve(Town town, string frontend, bool v6, ProtocolType protocol, Backend backend)
    {
        var (where, address) = backend switch
        {
            Backend.Pod => (town.Server, Address.Server(v6)),
            Backend.Elsewhere => (town.Peer, Address.Remote(v6)),
            _ => (town.Node, Town.NodeAddress(v6)),
        };
        var server = Town.Socket(where, address, protocol);
        var to = IPEndPoint.Parse(Address.At(frontend, 30080));
        town.Programs.SetService(
            PodPrograms.Key(to.ToString(), protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp), SvcFlags.None,
            backend == Backend.Elsewhere ? BackendFlags.None : BackendFlags.Local, server.LocalEndPoint!.ToString()!);
        if (backend == Backend.Elsewhere)
            Know(town, v6);
        return (server, to);
    }

    private static void Reach(string frontend, bool v6, ProtocolType protocol, Backend backend)
    {
        using var town = new Town(ConfigFlags.RedirectPeer);
        town.TranslateTheNodesOwn();
        var (server, to) = Serve(town, frontend, v6, protocol, backend);
        using var _ = server;
        using var client = Town.Caller(town.Node, v6, protocol);
        try
        {
            client.Connect(to);
            Talk(client, server, protocol);
        }
        catch (SocketException e)
        {
            Assert.Fail($"{e.Message}; {town.Programs.Counts()}");
        }
        Assert.Equal(to, client.RemoteEndPoint);
        Assert.True(town.Programs.Count(Reason.Service, Hook.HostEgress) > 0, town.Programs.Counts());
    }

    // What waits for a neighbour's address is sent by the route that it had before, which is the loopback device's: a first datagram
    // to an unknown neighbour is lost, a SYN comes again. So the neighbour is known before.
    private static void Know(Town town, bool v6)
    {
        using var heard = Town.Socket(town.Peer, Town.PeerAddress(v6), ProtocolType.Udp);
        using var caller = Town.Caller(town.Node, v6, ProtocolType.Udp);
        caller.SendTo("hello"u8, heard.LocalEndPoint!);
        Assert.Equal(5, heard.Receive(new byte[10]));
    }

    private static void Talk(Socket client, Socket server, ProtocolType protocol)
    {
        if (protocol == ProtocolType.Tcp)
        {
            using var accepted = server.Accept();
            Transfers.BothWays(client, accepted, 1024 * 1024);
            return;
        }
        const int Size = 1200; // the loopback device takes more than a pod's link, and nobody cuts what has passed it in one piece
        var heard = new byte[4000];
        for (var i = 0; i < 3; i++)
        {
            client.Send(new byte[Size]);
            EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
            Assert.Equal(Size, server.ReceiveFrom(heard, ref from));
            server.SendTo(heard, Size, SocketFlags.None, from);
            Assert.Equal(Size, client.Receive(heard));
        }
    }
}
