using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A datagram socket and a frontend are one flow however they meet.</summary>
[Collection("sockets")]
public sealed class SocketOneFlowTests
{
    private const int Times = 24; // each would be right by chance in one of four

    public enum Way
    {
        ConnectThenSendTo,
        SendToThenConnect,
        ConnectTwice,
        ConnectThenSendToThenSend,
    }

    public static TheoryData<AddressFamily, string, Way> Ways
    {
        get
        {
            var data = new TheoryData<AddressFamily, string, Way>();
            foreach (var way in SocketWays.All)
                foreach (var order in Enum.GetValues<Way>())
                    data.Add(way.Data.Item1, way.Data.Item2, order);
            return data;
        }
    }

    [Theory, MemberData(nameof(Ways))]
    public void It_has_one_backend_and_hears_it(AddressFamily family, string service, Way way)
    {
        using var sandbox = new SocketSandbox();
        void Everywhere()
        {
            var servers = Servers(service, ProtocolType.Udp, 4);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            var to = Asked(family, service);
            for (var i = 0; i < Times; i++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                int first;
                switch (way)
                {
                    case Way.ConnectThenSendTo:
                        client.Connect(to);
                        first = Exchange(client, to, servers);
                        break;
                    case Way.SendToThenConnect:
                        first = Exchange(client, to, servers);
                        client.Connect(to);
                        break;
                    case Way.ConnectTwice:
                        client.Connect(to);
                        first = ExchangeConnected(client, to, servers);
                        Assert.Equal(SocketError.Success, ConnectAgain(client, to));
                        break;
                    default:
                        client.Connect(to);
                        first = Exchange(client, to, servers);
                        Assert.Equal(first, ExchangeConnected(client, to, servers));
                        break;
                }
                Assert.Equal(to, client.RemoteEndPoint);
                Assert.Equal(first, ExchangeConnected(client, to, servers));
                Assert.Equal(first, Exchange(client, to, servers));
            }
            Assert.Equal((ulong)Times, servers.Aggregate(0UL, (sum, s) => sum + Connections(sandbox, s)));
            foreach (var server in servers)
                server.Dispose();
            sandbox.ForgetStats();
        }
        sandbox.Run(Everywhere);
        sandbox.RunOnNode(Everywhere);
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Threads_that_share_a_socket_share_its_backend(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 4);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            for (var i = 0; i < Times; i++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                using var start = new Barrier(4);
                var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
                {
                    start.SignalAndWait();
                    for (var n = 0; n < 10; n++)
                        client.SendTo(new byte[1], Asked(family, service));
                })).ToList();
                threads.ForEach(t => t.Start());
                threads.ForEach(t => t.Join());
                Assert.Single(servers, s => s.Available > 0);
                foreach (var server in servers)
                    while (server.Available > 0)
                        server.Receive(new byte[8]);
            }
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void After_a_visit_elsewhere_it_finds_its_backend_again(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 4);
            var elsewhere = Servers(service, ProtocolType.Udp, 1);
            var other = service.Replace(":80", ":81", StringComparison.Ordinal);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            sandbox.SetService(other, IpProtocol.Udp, new Svc(0, 0, 2, SvcFlags.None, 0), At(elsewhere), []);
            for (var i = 0; i < Times; i++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                client.Connect(Asked(family, service));
                var first = ExchangeConnected(client, Asked(family, service), servers);
                Assert.Equal(SocketError.Success, ConnectAgain(client, Asked(family, other)));
                ExchangeConnected(client, Asked(family, other), elsewhere);
                Assert.Equal(SocketError.Success, ConnectAgain(client, Asked(family, service)));
                Assert.Equal(first, ExchangeConnected(client, Asked(family, service), servers));
            }
            Assert.Equal((ulong)Times, servers.Aggregate(0UL, (sum, s) => sum + Connections(sandbox, s)));
            foreach (var server in servers.Concat(elsewhere))
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_socket_that_is_connected_to_the_frontend_itself_stays_with_packets(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            Have(IPEndPoint.Parse(service).Address);
            var servers = Servers(service, ProtocolType.Udp, 1);
            using var client = SocketSandbox.New(family, ProtocolType.Udp);
            client.Connect(Asked(family, service)); // nothing is known of a service yet
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            // an answer from the backend's address would not reach it any more
            client.SendTo(new byte[1], Asked(family, service));
            Assert.Equal((0, 0UL), (servers[0].Available, sandbox.Count(Reason.Service)));
            using var control = SocketSandbox.New(family, ProtocolType.Udp);
            Exchange(control, Asked(family, service), servers);
            servers[0].Dispose();
        });
    }

    private static ulong Connections(SocketSandbox sandbox, Socket server)
    {
        var (addr, port) = Backend(server);
        return sandbox.Stats.TryLookup(new StatKey(addr, 1, port), out Stat stat) ? stat.Connections : 0;
    }
}
