using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Socket hooks where tc translates all else: theirs is what the node asks a loopback address from an address that is none, since kubelet's
/// firewall drops that before tc sees it.
/// </summary>
[Collection("sockets")]
public sealed class SocketLoopbackOnlyTests
{
    private const string Node4 = "192.0.2.1", Node6 = "fd00:2::1";

    /// <summary>The client's family, the node's address that it is bound to, what it asks.</summary>
    public static TheoryData<AddressFamily, string, string> Ways => new()
    {
        { AddressFamily.InterNetwork, Node4, "127.0.0.1:30080" },
        { AddressFamily.InterNetworkV6, Node6, "[::1]:30080" },
        { AddressFamily.InterNetworkV6, "::ffff:" + Node4, "127.0.0.1:30080" },
    };

    [Theory, MemberData(nameof(Ways))]
    public void A_client_bound_to_the_nodes_address_is_translated(AddressFamily family, string source, string service) => OnNode(sandbox =>
    {
        using var stream = SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Tcp);
        sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, At([stream]));
        using var tcp = Bound(family, ProtocolType.Tcp, source);
        tcp.Connect(Asked(family, service));
        Assert.Equal(Asked(family, service), tcp.RemoteEndPoint);

        var servers = Servers(service, ProtocolType.Udp, 1);
        sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
        using var udp = Bound(family, ProtocolType.Udp, source);
        Exchange(udp, Asked(family, service), servers); // unconnected
        using var connected = Bound(family, ProtocolType.Udp, source);
        connected.Connect(Asked(family, service));
        connected.Send("asked"u8);
        Assert.Equal(5, servers[0].Receive(new byte[16]));
        Assert.Equal(Asked(family, service), connected.RemoteEndPoint);
        servers[0].Dispose();
    });

    /// <summary>Bound to nothing, or to a loopback address, the packet gets to tc; and so does what is for another address.</summary>
    [Theory, MemberData(nameof(Ways))]
    public void All_else_is_left_to_tc(AddressFamily family, string source, string service) => OnNode(sandbox =>
    {
        var loopback = family == AddressFamily.InterNetworkV6 ? source.StartsWith("::ffff:", StringComparison.Ordinal)
            ? "::ffff:127.0.0.1" : "::1" : "127.0.0.1";
        var own = IPEndPoint.Parse(service).AddressFamily == AddressFamily.InterNetwork ? Node4 + ":30080" : $"[{Node6}]:30080";
        foreach (var (bound, asked) in new[] { (null, service), (loopback, service), (source, own) })
        {
            using var backend = SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Tcp);
            sandbox.SetService(asked, IpProtocol.Tcp, SvcFlags.None, At([backend]));
            sandbox.SetService(asked, IpProtocol.Udp, SvcFlags.None, At([backend]));
            using var tcp = Bound(family, ProtocolType.Tcp, bound);
            Assert.Equal(SocketError.ConnectionRefused, Error(() => tcp.Connect(Asked(family, asked)))); // nobody listens there
            using var listener = SocketSandbox.New(IPEndPoint.Parse(asked).AddressFamily, ProtocolType.Udp);
            listener.Bind(IPEndPoint.Parse(asked));
            using var udp = Bound(family, ProtocolType.Udp, bound);
            udp.SendTo("sent"u8, Asked(family, asked));
            Assert.Equal(4, listener.Receive(new byte[16]));
        }
        Assert.Equal((0UL, 0UL), (sandbox.Count(Reason.Service), sandbox.Count(Reason.Forwarded)));
    });

    [Fact]
    public void A_pods_sockets_are_left_alone()
    {
        using var sandbox = Sandbox();
        sandbox.Run(() =>
        {
            Have(IPAddress.Parse(Node4));
            using var backend = SocketSandbox.Server(AddressFamily.InterNetwork, ProtocolType.Tcp);
            sandbox.SetService("127.0.0.1:30080", IpProtocol.Tcp, SvcFlags.None, At([backend]));
            using var tcp = Bound(AddressFamily.InterNetwork, ProtocolType.Tcp, Node4);
            Assert.Equal(SocketError.ConnectionRefused, Error(() => tcp.Connect(IPEndPoint.Parse("127.0.0.1:30080"))));
        });
    }

    private static SocketSandbox Sandbox() => new(ConfigFlags.SetRetval | ConfigFlags.LoopbackOnly, tableSize: 1);

    private static void OnNode(Action<SocketSandbox> work)
    {
        using var sandbox = Sandbox();
        sandbox.Node.SetOwn(Addr.Parse(Node4), Addr.Parse(Node6));
        sandbox.RunOnNode(() =>
        {
            Have(IPAddress.Parse(Node4));
            Have(IPAddress.Parse(Node6));
            work(sandbox);
        });
    }

    private static Socket Bound(AddressFamily family, ProtocolType protocol, string? source)
    {
        var socket = SocketSandbox.New(family, protocol);
        if (source is not null)
            socket.Bind(new IPEndPoint(IPAddress.Parse(source), 0));
        return socket;
    }
}
