using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Datagrams that a socket hook has left to tc, because the socket talks to their backend already: the direct flow, which tc has no entry
/// of, keeps the socket's port, and the translated one gets another. No hook is on here; the direct flow is what a hook would have made of
/// the first frontend.
/// </summary>
public sealed class SharedPortTests
{
    [Theory]
    [InlineData(false, false), InlineData(false, true), InlineData(true, false), InlineData(true, true)]
    public void Answers_to_both_flows_of_a_socket_come_from_the_address_that_was_asked(bool v6, bool node) =>
        Assert.Equal((Direct(v6), Service(v6)), Ask(v6, node, ConfigFlags.SocketLb));

    [Theory]
    [InlineData(false), InlineData(true)]
    public void Where_no_hook_sees_pods_they_keep_their_ports(bool v6)
    {
        Assert.Equal(Service(v6), Ask(v6, node: false, ConfigFlags.None).Direct);
        Assert.Equal(Service(v6), Ask(v6, node: false, ConfigFlags.SocketLb | ConfigFlags.HostOnly).Direct);
    }

    private static IPEndPoint Direct(bool v6) => new(IPAddress.Parse(Address.Server(v6)), 8081);

    private static IPEndPoint Service(bool v6) => new(IPAddress.Parse(Address.Vip(v6)), 81);

    /// <summary>From where the answer to a direct question comes that is answered last, and that to the service.</summary>
    private static (IPEndPoint Direct, IPEndPoint Service) Ask(bool v6, bool node, ConfigFlags flags)
    {
        using var town = new Town(flags | ConfigFlags.RedirectPeer);
        if (node)
            town.TranslateTheNodesOwn();
        using var server = town.Server.Run(() => Bound(Direct(v6)));
        town.Programs.AddService(Service(v6).ToString(), IpProtocol.Udp, Direct(v6).ToString());
        using var client = (node ? town.Node : town.Client)
            .Run(() => Bound(new IPEndPoint(IPAddress.Parse(node ? Town.NodeAddress(v6) : Address.Client(v6)), 40000)));
        client.SendTo("direct"u8, Direct(v6));
        var direct = Heard(server);
        client.SendTo("service"u8, Service(v6));
        var service = Heard(server);
        foreach (var question in new[] { service, direct })
            server.SendTo(Encoding.ASCII.GetBytes(question.Text), question.From);
        var answers = new[] { Heard(client), Heard(client) }.ToDictionary(a => a.Text, a => a.From);
        return (answers["direct"], answers["service"]);
    }

    private static Socket Bound(IPEndPoint at)
    {
        var socket = new Socket(at.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 10_000 };
        socket.Bind(at);
        return socket;
    }

    private static (string Text, IPEndPoint From) Heard(Socket socket)
    {
        var bytes = new byte[16];
        EndPoint from = SocketWays.Any(socket.AddressFamily);
        var length = socket.ReceiveFrom(bytes, ref from);
        return (Encoding.ASCII.GetString(bytes, 0, length), (IPEndPoint)from);
    }
}
