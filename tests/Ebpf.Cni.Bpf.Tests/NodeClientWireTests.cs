using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// The node's own sockets talk from a port that is a frontend of the node's address: a hostPort, an external address, a NodePort that was made later. What
/// answers them begins no connection to that frontend.
/// </summary>
public sealed class NodeClientWireTests
{
    private const int Port = 40000, Backend = 8080;

    public enum Place
    {
        PodHere,
        PodElsewhere,
        Outside,
    }

    public static TheoryData<bool, ProtocolType, Place> Kinds
    {
        get
        {
            var data = new TheoryData<bool, ProtocolType, Place>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                    foreach (var place in Enum.GetValues<Place>())
                        data.Add(v6, protocol, place);
            return data;
        }
    }

    /// <summary>Asked from the port beside it as the control.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void A_connection_from_the_port_of_a_frontend_is_answered(bool v6, ProtocolType protocol, Place place)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var backend = Frontend(town, v6, protocol);
        using var server = Server(town, v6, protocol, place);
        foreach (var port in new[] { Port + 1, Port })
        {
            using var client = Client(town.Node, v6, protocol, port, v6 ? IPAddress.IPv6Any : IPAddress.Any);
            Answered(() => Converse(client, server, (IPEndPoint)server.LocalEndPoint!, protocol), town, port);
        }
    }

    /// <summary>Datagrams of sockets that hear everybody; it is the first question that must be answered.</summary>
    [Theory]
    [InlineData(false, Place.PodHere, true), InlineData(true, Place.PodHere, true), InlineData(false, Place.PodElsewhere, true), InlineData(true, Place.PodElsewhere, true)]
    [InlineData(false, Place.Outside, true), InlineData(true, Place.Outside, true), InlineData(false, Place.Outside, false), InlineData(true, Place.Outside, false)]
    public void The_first_question_of_an_unconnected_socket_is_answered(bool v6, Place place, bool anyAddress)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var backend = Frontend(town, v6, ProtocolType.Udp);
        // as NTP and IKE do it: the same port at both ends
        using var server = Server(town, v6, ProtocolType.Udp, place, Port);
        var any = v6 ? IPAddress.IPv6Any : IPAddress.Any;
        using var client = Client(town.Node, v6, ProtocolType.Udp, Port, anyAddress ? any : IPAddress.Parse(Town.NodeAddress(v6)));
        Answered(() => Ask(client, server, (IPEndPoint)server.LocalEndPoint!), town, Port);
        Assert.Equal(0, backend.Available); // no answer went astray
    }

    /// <summary>Without socket hooks.</summary>
    [Theory]
    [InlineData(false, ProtocolType.Tcp, Place.PodHere), InlineData(false, ProtocolType.Udp, Place.PodHere), InlineData(true, ProtocolType.Udp, Place.Outside)]
    [InlineData(false, ProtocolType.Udp, Place.Outside)]
    public void It_is_so_where_tc_translates_what_the_node_sends(bool v6, ProtocolType protocol, Place place)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade | ConfigFlags.HostServices);
        town.TranslateTheNodesOwn();
        using var backend = Frontend(town, v6, protocol);
        using var server = Server(town, v6, protocol, place);
        using var client = Client(town.Node, v6, protocol, Port, v6 ? IPAddress.IPv6Any : IPAddress.Any);
        Answered(() => Converse(client, server, (IPEndPoint)server.LocalEndPoint!, protocol), town, Port);
    }

    /// <summary>The answer comes out of a tunnel.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void A_pod_behind_a_tunnel_is_heard(bool v6)
    {
        using var town = new TunnelTown(v6, ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        var own = town.One.At(v6);
        using var backend = Town.Socket(town.One.Pod, Address.Client(v6), ProtocolType.Udp, Backend);
        town.One.Programs.SetService(
            PodPrograms.Key(Address.At(own, Port), IpProtocol.Udp), SvcFlags.None, BackendFlags.Local, backend.LocalEndPoint!.ToString()!);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Udp);
        foreach (var port in new[] { Port + 1, Port })
        {
            using var client = Client(town.One.Namespace, v6, ProtocolType.Udp, port, v6 ? IPAddress.IPv6Any : IPAddress.Any);
            client.Connect(server.LocalEndPoint!);
            try
            {
                Ask(client, server, null);
            }
            catch (SocketException e)
            {
                Assert.Fail($"from port {port}: {e.SocketErrorCode}; {town.One.Programs.Counts()}");
            }
        }
    }

    /// <summary>The control: whoever begins to talk to the frontend reaches its backend, also while the node uses its port.</summary>
    [Theory, InlineData(false, ProtocolType.Tcp), InlineData(false, ProtocolType.Udp), InlineData(true, ProtocolType.Tcp), InlineData(true, ProtocolType.Udp)]
    public void The_frontend_serves_the_world_and_the_pods(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var backend = Frontend(town, v6, protocol);
        using var busy = protocol == ProtocolType.Udp ? Client(town.Node, v6, protocol, Port, v6 ? IPAddress.IPv6Any : IPAddress.Any) : null;
        busy?.SendTo("elsewhere"u8, IPEndPoint.Parse(Address.At(Town.OutsideAddress(v6), 9)));
        var to = IPEndPoint.Parse(Address.At(Town.NodeAddress(v6), Port));
        foreach (var who in new[] { town.Outside, town.Server })
        {
            using var client = Client(who, v6, protocol, 0, v6 ? IPAddress.IPv6Any : IPAddress.Any);
            Answered(() => Converse(client, backend, to, protocol), town, 0);
        }
    }

    // a pod of the node is what the node's port leads to
    private static Socket Frontend(Town town, bool v6, ProtocolType protocol)
    {
        var backend = Town.Socket(town.Client, Address.Client(v6), protocol, Backend);
        backend.ReceiveTimeout = 2_000;
        town.Programs.SetService(
            PodPrograms.Key(Address.At(Town.NodeAddress(v6), Port), protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp), SvcFlags.None, BackendFlags.Local,
            backend.LocalEndPoint!.ToString()!);
        return backend;
    }

    private static Socket Server(Town town, bool v6, ProtocolType protocol, Place place, int port = 0)
    {
        var (where, address) = place switch
        {
            Place.PodHere => (town.Server, Address.Server(v6)),
            Place.PodElsewhere => (town.Peer, Address.Remote(v6)),
            _ => (town.Outside, Town.OutsideAddress(v6)),
        };
        var server = Town.Socket(where, address, protocol, port);
        server.ReceiveTimeout = 2_000;
        return server;
    }

    private static Socket Client(NetworkNamespace where, bool v6, ProtocolType protocol, int port, IPAddress address)
    {
        var client = Town.Caller(where, v6, protocol);
        client.ReceiveTimeout = client.SendTimeout = 2_000;
        where.Run(() => client.Bind(new IPEndPoint(address, port)));
        return client;
    }

    private static void Converse(Socket client, Socket server, IPEndPoint to, ProtocolType protocol)
    {
        client.Connect(to);
        if (protocol == ProtocolType.Udp)
        {
            Ask(client, server, null);
            Ask(client, server, null);
            return;
        }
        using var accepted = server.Accept();
        Transfers.BothWays(client, accepted, 100_000);
    }

    private static void Ask(Socket client, Socket server, IPEndPoint? to)
    {
        var heard = new byte[100];
        EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        _ = to is null ? client.Send("question"u8) : client.SendTo("question"u8, to);
        Assert.Equal("question".Length, server.ReceiveFrom(heard, ref from));
        server.SendTo("answer"u8, from);
        Assert.Equal("answer".Length, client.ReceiveFrom(heard, ref from));
        if (to is not null)
            Assert.Equal(to, from);
    }

    private static void Answered(Action talk, Town town, int port)
    {
        try
        {
            talk();
        }
        catch (SocketException e)
        {
            Assert.Fail($"from port {port}: {e.SocketErrorCode}; {town.Programs.Counts()}");
        }
    }
}
