using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Real sockets through the cgroup hooks. A collection of their own: the whole process moves into the cgroup.</summary>
[Collection("sockets")]
public sealed class SocketTests
{
    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_connection_reaches_a_backend_and_its_peer_is_the_service(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var server = SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Tcp);
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            using var client = SocketSandbox.New(family, ProtocolType.Tcp);
            client.Connect(Asked(family, service));
            using var accepted = server.Accept();
            client.Send("ping"u8);
            var bytes = new byte[8];
            Assert.Equal(4, accepted.Receive(bytes));
            Assert.Equal(Asked(family, service), client.RemoteEndPoint);
        });
        Assert.Equal(1UL, sandbox.Count(Reason.Service));
        Assert.Equal(1UL, sandbox.Count(Reason.Reply));
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Datagrams_reach_one_backend_and_come_back_from_the_service(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Enumerable.Range(0, 4).Select(
                _ => SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Udp)).ToArray();
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, [.. servers.Select(s => (IPEndPoint)s.LocalEndPoint!)]);
            var met = new HashSet<int>();
            for (var i = 0; i < 24; i++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                met.Add(Assert.Single(Enumerable.Range(0, 5).Select(_ => Exchange(client, Asked(family, service), servers)).Distinct()));
            }
            // 24 sockets on 4 backends: that all choose the same is one in 2^46
            Assert.True(met.Count > 1, "every socket chose the same backend");
            foreach (var server in servers)
                server.Dispose();
        });
        Assert.Equal(24UL * 5, sandbox.Count(Reason.Service));
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_connected_datagram_socket_is_translated_once(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var server = SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, ProtocolType.Udp);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            using var client = SocketSandbox.New(family, ProtocolType.Udp);
            client.Connect(Asked(family, service));
            client.Send("ping"u8);
            client.Send("ping"u8);
            Assert.Equal(4, server.Receive(new byte[8]));
            Assert.Equal(Asked(family, service), client.RemoteEndPoint);
        });
        Assert.Equal(1UL, sandbox.Count(Reason.Service));
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Without_backends_a_connection_is_refused_at_once_and_datagrams_where_they_pass(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None);
            Assert.Equal(SocketError.ConnectionRefused, Connect(family, ProtocolType.Tcp, service));
            // the calls go on to the frontend's own address, to which this namespace knows no way
            Assert.Equal(SocketError.NetworkUnreachable, Connect(family, ProtocolType.Udp, service));
            using var datagrams = SocketSandbox.New(family, ProtocolType.Udp);
            Assert.Equal(SocketError.NetworkUnreachable, Error(() => datagrams.SendTo(new byte[1], Asked(family, service))));
            // the same socket, once there is a backend
            var servers = Servers(service, ProtocolType.Udp, 1);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            Exchange(datagrams, Asked(family, service), servers);
            servers[0].Dispose();
        });
        Assert.Equal(1UL, sandbox.Count(Reason.NoBackend));
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void What_the_nodes_own_server_listens_at_is_left_to_it(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var stream = Servers(service, ProtocolType.Tcp, 1)[0];
            var datagrams = Servers(service, ProtocolType.Udp, 1);
            void Serve(SvcFlags flags, SocketError expected)
            {
                sandbox.SetService(service, IpProtocol.Tcp, flags, (IPEndPoint)stream.LocalEndPoint!);
                sandbox.SetService(service, IpProtocol.Udp, flags, At(datagrams));
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                Assert.Equal(
                    (expected, expected, expected),
                    (Connect(family, ProtocolType.Tcp, service), Connect(family, ProtocolType.Udp, service),
                        Error(() => client.SendTo(new byte[1], Asked(family, service)))));
            }
            Serve(SvcFlags.NodeServer, SocketError.NetworkUnreachable);
            Assert.Equal((0UL, 3UL), (sandbox.Count(Reason.Service), sandbox.Count(Reason.Forwarded)));
            Serve(SvcFlags.None, SocketError.Success); // the control
            Assert.Equal((3UL, 3UL), (sandbox.Count(Reason.Service), sandbox.Count(Reason.Forwarded)));
            datagrams[0].Dispose();
        });
    }

    [Fact]
    public void A_kernel_that_can_only_deny_says_permission_denied()
    {
        using var sandbox = new SocketSandbox(ConfigFlags.None);
        sandbox.Run(() =>
        {
            sandbox.SetService(Vip4, IpProtocol.Tcp, SvcFlags.None);
            using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Tcp);
            // EPERM, which .NET calls access denied
            Assert.Equal(SocketError.AccessDenied,
                Assert.Throws<SocketException>(() => client.Connect(Asked(AddressFamily.InterNetwork, Vip4))).SocketErrorCode);
        });
    }

    [Fact]
    public void Where_only_this_node_has_no_backend_the_call_goes_on_untranslated()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            sandbox.SetService(Vip4, IpProtocol.Tcp, SvcFlags.DropEmpty);
            using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Tcp);
            // a namespace with loopback only has no way there, and that, not a refusal, is the answer
            Assert.Equal(
                SocketError.NetworkUnreachable,
                Assert.Throws<SocketException>(() => client.Connect(Asked(AddressFamily.InterNetwork, Vip4))).SocketErrorCode);
        });
        Assert.Equal(0UL, sandbox.Count(Reason.NoBackend));
    }

    [Fact]
    public void A_connection_to_no_service_is_left_alone()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var server = SocketSandbox.Server(AddressFamily.InterNetwork, ProtocolType.Tcp);
            using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Tcp);
            client.Connect(server.LocalEndPoint!);
            Assert.Equal(server.LocalEndPoint, client.RemoteEndPoint);
        });
        Assert.Equal((0UL, 1UL), (sandbox.Count(Reason.Service), sandbox.Count(Reason.Forwarded)));
    }

    [Fact]
    public void Connections_spread_over_all_backends()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Enumerable.Range(0, 4).Select(_ => SocketSandbox.Server(AddressFamily.InterNetwork, ProtocolType.Tcp)).ToArray();
            sandbox.SetService(Vip4, IpProtocol.Tcp, SvcFlags.None, [.. servers.Select(s => (IPEndPoint)s.LocalEndPoint!)]);
            const int Connections = 160;
            for (var i = 0; i < Connections; i++)
            {
                using var client = SocketSandbox.New(AddressFamily.InterNetwork, ProtocolType.Tcp);
                client.Connect(Asked(AddressFamily.InterNetwork, Vip4));
            }
            var shares = servers.Select(Accepted).ToList();
            Assert.Equal(Connections, shares.Sum());
            // 40 each; below 10 is 5 standard deviations away
            Assert.All(shares, share => Assert.InRange(share, 10, 120));
            foreach (var server in servers)
                server.Dispose();
        });
    }

    private static int Accepted(Socket server)
    {
        var count = 0;
        for (; server.Poll(TimeSpan.Zero, SelectMode.SelectRead); count++)
            server.Accept().Dispose();
        return count;
    }
}
