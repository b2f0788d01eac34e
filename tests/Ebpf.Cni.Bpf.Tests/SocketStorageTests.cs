using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What a socket asked for is kept with it: no other socket pushes it out, and nothing of a closed one stays.</summary>
[Collection("sockets")]
public sealed class SocketStorageTests
{
    private static string Front(string service, int number) =>
        service == Vip6 ? $"[fd00:96::1:{number:x}]:80" : $"10.96.1.{number}:80";

    private static (int Flows, int Reverse) Tables(SocketSandbox sandbox) =>
        (sandbox.Flows.ReadAll<SockRevKey, SockFlow>().Count, sandbox.Reverse.ReadAll<SockRevKey, SockRev>().Count);

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Thousands_of_short_sockets_push_out_nothing(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox(tableSize: 128);
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 2);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            using var connected = SocketSandbox.New(family, ProtocolType.Udp);
            connected.Connect(Asked(family, service));
            using var several = SocketSandbox.New(family, ProtocolType.Udp);
            sandbox.SetService(Front(service, 1), IpProtocol.Udp, new Svc(0, 0, 2, SvcFlags.None, 0), At(servers), []);
            var met = new[] { service, Front(service, 1) }.Select(front => (front, Exchange(several, Asked(family, front), servers)))
                .ToList();
            for (var i = 0; i < 3000; i++)
            {
                using var close = SocketSandbox.New(family, ProtocolType.Udp);
                if (i % 2 == 0)
                    close.Connect(Asked(family, service));
                close.SendTo(new byte[1], Asked(family, service));
                if (i % 3 == 0)
                    close.SendTo(new byte[1], Asked(family, Front(service, 1)));
                foreach (var server in servers.Where(s => s.Available > 0))
                    server.Receive(new byte[8]);
            }
            foreach (var server in servers)
                while (server.Available > 0)
                    server.Receive(new byte[8]);
            Assert.Equal(Asked(family, service), connected.RemoteEndPoint);
            Assert.Equal(1u, sandbox.AskedBy(connected)!.Value.ServiceId);
            Assert.All(met, m => Assert.Equal(m.Item2, Exchange(several, Asked(family, m.front), servers)));
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Elements_of_a_datagram_socket_go_with_it_and_those_of_others_stay(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            const int Fronts = 9; // one with the socket, eight in the tables
            var servers = Servers(service, ProtocolType.Udp, Fronts + 1);
            for (var i = 0; i <= Fronts; i++)
                sandbox.SetService(Front(service, i), IpProtocol.Udp, new Svc(0, 0, (uint)i + 1, SvcFlags.None, 0), At(servers[i..(i + 1)]),
                    []);
            using var living = SocketSandbox.New(family, ProtocolType.Udp);
            void Ask(Socket client, int fronts)
            {
                for (var i = 0; i < fronts; i++)
                    Assert.Equal(i, Exchange(client, Asked(family, Front(service, i)), servers));
            }
            Ask(living, 2);
            Assert.Equal((1, 1), Tables(sandbox));
            using (var closed = SocketSandbox.New(family, ProtocolType.Udp))
            {
                Ask(closed, Fronts);
                Ask(closed, Fronts); // nothing is written down twice
                Assert.Equal((Fronts, Fronts), Tables(sandbox));
            }
            Assert.Equal((1, 1), Tables(sandbox));
            Ask(living, 2);
            // what exceeds the list waits for the LRU
            using (var greedy = SocketSandbox.New(family, ProtocolType.Udp))
                Ask(greedy, Fronts + 1);
            Assert.Equal((2, 2), Tables(sandbox));
            foreach (var server in servers)
                server.Dispose();
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_connection_needs_no_table_and_one_that_follows_to_no_service_remembers_none(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var server = Servers(service, ProtocolType.Tcp, 1)[0];
            var backend = (IPEndPoint)server.LocalEndPoint!;
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, backend);
            using (var client = SocketSandbox.New(family, ProtocolType.Tcp))
            {
                client.Connect(Asked(family, service));
                var asked = sandbox.AskedBy(client)!.Value;
                Assert.Equal((Addr.From(IPEndPoint.Parse(service).Address), Addr.From(backend.Address), 1u),
                    (asked.Front, asked.Backend, asked.ServiceId));
                Assert.Equal((0, 0), Tables(sandbox));
            }
            // fails, and then goes straight to the same backend
            using var again = SocketSandbox.New(family, ProtocolType.Tcp);
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, new IPEndPoint(backend.Address, 1));
            Assert.Equal(SocketError.ConnectionRefused, Error(() => again.Connect(Asked(family, service))));
            Assert.NotNull(sandbox.AskedBy(again));
            var direct = Asked(family, backend.ToString());
            Assert.Equal(SocketError.Success, ConnectAgain(again, direct));
            Assert.Null(sandbox.AskedBy(again));
            Assert.Equal(direct, Peer(again));
        });
    }
}
