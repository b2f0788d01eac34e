using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>Clients that are bound to a port of the node's address where a Service has a frontend, and the servers that they ask.</summary>
internal static class NodeClient
{
    public const int Port = 40000;
    private const int Backend = 8080, Patience = 10_000;

    /// <summary>The frontend: a pod of the node serves <see cref="Port"/>.</summary>
    public static Socket Frontend(PodPrograms programs, NetworkNamespace pod, string node, bool v6, ProtocolType protocol)
    {
        var backend = Town.Socket(pod, Address.Client(v6), protocol, Backend);
        backend.ReceiveTimeout = Patience;
        var key = PodPrograms.Key(Address.At(node, Port), protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp);
        programs.SetService(key, SvcFlags.None, BackendFlags.Local, backend.LocalEndPoint!.ToString()!);
        return backend;
    }

    public static Socket Frontend(Town town, bool v6, ProtocolType protocol) =>
        Frontend(town.Programs, town.Client, Town.NodeAddress(v6), v6, protocol);

    public static Socket Server(Town town, bool v6, ProtocolType protocol, Place place, int port = 0)
    {
        var (where, address) = place switch
        {
            Place.PodHere => (town.Server, Address.Server(v6)),
            Place.PodElsewhere => (town.Peer, Address.Remote(v6)),
            _ => (town.Outside, Town.OutsideAddress(v6)),
        };
        var server = Town.Socket(where, address, protocol, port);
        server.ReceiveTimeout = Patience;
        return server;
    }

    public static Socket Bound(NetworkNamespace where, bool v6, ProtocolType protocol, int port, string? address = null)
    {
        var client = Town.Caller(where, v6, protocol);
        client.ReceiveTimeout = client.SendTimeout = Patience;
        where.Run(() => client.Bind(new IPEndPoint(IPAddress.Parse(address ?? (v6 ? "::" : "0.0.0.0")), port)));
        return client;
    }

    /// <summary>A connected socket talks to the server.</summary>
    public static void Converse(Socket client, Socket server, IPEndPoint to, ProtocolType protocol)
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

    /// <summary>One datagram and its answer.</summary>
    /// <param name="client">Connected, if <paramref name="to"/> is null.</param>
    /// <param name="server">Gets it.</param>
    /// <param name="to">Where the answer must come from.</param>
    public static void Ask(Socket client, Socket server, IPEndPoint? to)
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

    /// <summary>Fails with the counters instead of a bare time-out.</summary>
    public static void Answered(Action talk, PodPrograms programs, int port)
    {
        try
        {
            talk();
        }
        catch (SocketException e)
        {
            Assert.Fail($"from port {port}: {e.SocketErrorCode}; {programs.Counts()}");
        }
    }
}
