using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Clients of the node that are bound to a loopback address, from which no packet leaves the node.</summary>
[Collection("sockets")]
public sealed class SocketSourceTests
{
    private const string Node4 = "192.0.2.1", Node6 = "fd00:2::1";

    /// <summary>The client's family, what it is bound to, what it asks, the node's address.</summary>
    public static TheoryData<AddressFamily, string, string, string> Ways => new()
    {
        { AddressFamily.InterNetwork, "127.0.0.1", "127.0.0.1:30080", Node4 },
        { AddressFamily.InterNetworkV6, "::1", "[::1]:30080", Node6 },
        { AddressFamily.InterNetworkV6, "::ffff:127.0.0.1", "127.0.0.1:30080", Node4 },
    };

    [Theory, MemberData(nameof(Ways))]
    public void One_that_has_no_port_yet_is_moved_to_the_nodes_address(AddressFamily family, string source, string service, string node) =>
        OnNode(sandbox =>
    {
        foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
        {
            using var server = Server(node, protocol);
            sandbox.SetService(service, Number(protocol), SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            using var client = Bound(family, protocol, source, withPort: false);
            client.Connect(Asked(family, service));
            var local = ((IPEndPoint)client.LocalEndPoint!).Address;
            Assert.Equal(IPAddress.Parse(node), local.IsIPv4MappedToIPv6 ? local.MapToIPv4() : local);
            Assert.Equal(Asked(family, service), client.RemoteEndPoint);
        }
    });

    [Theory, MemberData(nameof(Ways))]
    public void One_that_has_a_port_keeps_its_loopback_destination(AddressFamily family, string source, string service, string node) =>
        OnNode(sandbox =>
    {
        using var stream = Server(node, ProtocolType.Tcp);
        using var datagrams = Server(node, ProtocolType.Udp);
        sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)stream.LocalEndPoint!);
        sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, (IPEndPoint)datagrams.LocalEndPoint!);
        // on the frontend's own address, which tc would translate
        using var own = SocketSandbox.New(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Udp);
        own.Bind(IPEndPoint.Parse(service));

        using var tcp = Bound(family, ProtocolType.Tcp, source, withPort: true);
        // By the loopback itself: nobody listens
        Assert.Equal(SocketError.ConnectionRefused, Error(() => tcp.Connect(Asked(family, service))));
        using var connected = Bound(family, ProtocolType.Udp, source, withPort: true);
        connected.Connect(Asked(family, service));
        connected.Send("connected"u8);
        Assert.Equal(9, own.Receive(new byte[16]));
        using var unconnected = Bound(family, ProtocolType.Udp, source, withPort: true);
        unconnected.SendTo("sent"u8, Asked(family, service));
        Assert.Equal(4, own.Receive(new byte[16]));
        Assert.Equal(0UL, sandbox.Count(Reason.Service));
    });

    [Theory, MemberData(nameof(Ways))]
    public void Others_and_backends_on_the_loopback_are_translated(AddressFamily family, string source, string service, string node) =>
        OnNode(sandbox =>
    {
        foreach (var (bound, backend) in new[] { (node, node),
            (source.Replace("::ffff:", "", StringComparison.Ordinal), source.Replace("::ffff:", "", StringComparison.Ordinal)) })
        {
            var servers = new[] { Server(backend, ProtocolType.Udp) };
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            using var client = Bound(family, ProtocolType.Udp, family == AddressFamily.InterNetworkV6
                && !bound.Contains(':', StringComparison.Ordinal) ? "::ffff:" + bound : bound, withPort: true);
            Exchange(client, Asked(family, service), servers);
            servers[0].Dispose();
        }
    });

    private static void OnNode(Action<SocketSandbox> work)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Node.SetOwn(Addr.Parse(Node4), Addr.Parse(Node6));
        sandbox.RunOnNode(() =>
        {
            Have(IPAddress.Parse(Node4));
            Have(IPAddress.Parse(Node6));
            work(sandbox);
        });
    }

    private static IpProtocol Number(ProtocolType protocol) => protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp;

    private static Socket Server(string address, ProtocolType protocol)
    {
        var at = IPAddress.Parse(address);
        var socket = SocketSandbox.New(at.AddressFamily, protocol);
        socket.Bind(new IPEndPoint(at, 0));
        if (protocol == ProtocolType.Tcp)
            socket.Listen();
        return socket;
    }

    private static Socket Bound(AddressFamily family, ProtocolType protocol, string source, bool withPort)
    {
        const int ipLevel = 0, bindAddressNoPort = 24;
        var socket = SocketSandbox.New(family, protocol);
        if (!withPort)
            socket.SetRawSocketOption(ipLevel, bindAddressNoPort, BitConverter.GetBytes(1));
        socket.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
        return socket;
    }
}
