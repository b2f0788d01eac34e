using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// One datagram socket, two addresses with the same backend: its answers cannot be told apart at the socket, so there the backend has one
/// address only.
/// </summary>
[Collection("sockets")]
public sealed class SocketSharedBackendTests
{
    private const int Times = 16;
    private static readonly Svc First = new(0, 0, 1, SvcFlags.None, 0), Second = First with { ServiceId = 2 };

    private static string Other(string service) => service.Replace(":80", ":81", StringComparison.Ordinal);

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void The_second_frontend_gets_another_backend_where_there_is_one(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 2);
            sandbox.SetService(service, IpProtocol.Udp, First, At(servers), []);
            sandbox.SetService(Other(service), IpProtocol.Udp, Second, At(servers), []);
            for (var i = 0; i < Times; i++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                if (i % 2 == 0)
                    client.Connect(Asked(family, service)); // and is asked by its address later
                var first = i % 2 == 0 ? ExchangeConnected(client, Asked(family, service), servers) : Exchange(
                    client, Asked(family, service), servers);
                client.SendTo("2"u8, Asked(family, Other(service)));
                Assert.Equal(1, servers[1 - first].Receive(new byte[8]));
                Assert.Equal(first, Exchange(client, Asked(family, service), servers));
            }
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Answers_come_from_the_address_that_was_asked(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 2);
            sandbox.SetService(service, IpProtocol.Udp, First, At(servers), []);
            sandbox.SetService(Other(service), IpProtocol.Udp, Second, At(servers), []);
            using var client = SocketSandbox.New(family, ProtocolType.Udp);
            client.SendTo("1"u8, Asked(family, service));
            client.SendTo("2"u8, Asked(family, Other(service)));
            foreach (var server in servers)
                Echo(server);
            Assert.Equal(
                [("1", Asked(family, service)), ("2", Asked(family, Other(service)))],
                new[] { Heard(client), Heard(client) }.OrderBy(h => h.Item1, StringComparer.Ordinal));
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void The_second_frontend_is_left_to_packets_where_there_is_none(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        void Everywhere()
        {
            var servers = Servers(service, ProtocolType.Udp, 2);
            sandbox.SetService(service, IpProtocol.Udp, First, At(servers[..1]), []);
            foreach (var shape in new[] { Second, Second with { AffinitySec = 100 } })
            {
                sandbox.SetService(Other(service), IpProtocol.Udp, shape, At(servers[..1]), []);
                foreach (var connects in new[] { false, true })
                {
                    using var client = SocketSandbox.New(family, ProtocolType.Udp);
                    Exchange(client, Asked(family, service), servers);
                    // to this namespace, nothing but a translated address is reachable
                    Assert.Equal(SocketError.NetworkUnreachable, Error(() => client.SendTo("2"u8, Asked(family, Other(service)))));
                    if (connects)
                        Assert.NotEqual(SocketError.Success, ConnectAgain(client, Asked(family, Other(service))));
                    sandbox.SetService(Other(service), IpProtocol.Udp, shape, At(servers), []); // a flow that tc has stays there
                    Assert.Equal(SocketError.NetworkUnreachable, Error(() => client.SendTo("2"u8, Asked(family, Other(service)))));
                    sandbox.SetService(Other(service), IpProtocol.Udp, shape, At(servers[..1]), []);
                    Assert.Equal(0, Exchange(client, Asked(family, service), servers));
                    using var control = SocketSandbox.New(family, ProtocolType.Udp);
                    Exchange(control, Asked(family, Other(service)), servers);
                }
            }
            foreach (var server in servers)
                server.Dispose();
        }
        sandbox.Run(Everywhere);
        sandbox.RunOnNode(Everywhere);
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void The_backend_itself_answers_as_itself(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 1);
            var direct = Asked(family, servers[0].LocalEndPoint!.ToString()!);
            sandbox.SetService(service, IpProtocol.Udp, First, At(servers), []);
            using var elsewhere = Servers(service, ProtocolType.Udp, 1)[0];
            sandbox.SetService(Other(service), IpProtocol.Udp, Second, At([elsewhere]), []);
            foreach (var first in new[] { true, false })
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                if (!first)
                    Exchange(client, Asked(family, Other(service)), [elsewhere]);
                Exchange(client, Asked(family, service), servers);
                Exchange(client, direct, servers); // checks the answer's source
                // the service's own flow is tc's now, and not the backend's
                Assert.Equal(SocketError.NetworkUnreachable, Error(() => client.SendTo("2"u8, Asked(family, service))));
                Exchange(client, direct, servers);
            }
            servers[0].Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_socket_connected_to_the_backend_itself_leaves_the_frontend_to_packets(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 1);
            var direct = Asked(family, servers[0].LocalEndPoint!.ToString()!);
            sandbox.SetService(service, IpProtocol.Udp, First, At(servers), []);
            using var client = SocketSandbox.New(family, ProtocolType.Udp);
            client.Connect(direct);
            Assert.Equal(SocketError.NetworkUnreachable, Error(() => client.SendTo("2"u8, Asked(family, service))));
            ExchangeConnected(client, direct, servers);
            Assert.Equal(direct, Peer(client));
            servers[0].Dispose();
        });
    }

    [Fact]
    public void What_the_node_sends_to_itself_passes_no_tc_and_is_translated_all_the_same()
    {
        using var sandbox = new SocketSandbox();
        sandbox.RunOnNode(() =>
        {
            var servers = Servers(Vip4, ProtocolType.Udp, 1);
            sandbox.SetService("127.0.0.1:30080", IpProtocol.Udp, First, At(servers), []);
            sandbox.SetService("127.0.0.1:30081", IpProtocol.Udp, Second, At(servers), []);
            sandbox.SetService(Vip4, IpProtocol.Udp, Second with { ServiceId = 3 }, At(servers), []);
            sandbox.Ipcache.Update(new IpcacheKey(128, Addr.From(IPEndPoint.Parse(Vip4).Address)),
                new Ipcache { Flags = IpcacheFlags.Node | IpcacheFlags.Local });
            using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Udp);
            foreach (var front in new[] { "127.0.0.1:30080", "127.0.0.1:30081", Vip4 })
            {
                client.SendTo("1"u8, IPEndPoint.Parse(front));
                Assert.Equal(1, servers[0].Receive(new byte[8]));
            }
            servers[0].Dispose();
        });
    }

    private static void Echo(Socket server)
    {
        var bytes = new byte[8];
        EndPoint from = Any(server.AddressFamily);
        var length = server.ReceiveFrom(bytes, ref from);
        server.SendTo(bytes, length, SocketFlags.None, from);
    }

    private static (string, EndPoint) Heard(Socket client)
    {
        var bytes = new byte[8];
        EndPoint from = Any(client.AddressFamily);
        var length = client.ReceiveFrom(bytes, ref from);
        return (System.Text.Encoding.ASCII.GetString(bytes, 0, length), from);
    }
}
