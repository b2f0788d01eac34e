using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What each backend got: connections when they begin, what they carried when they end.</summary>
[Collection("sockets")]
public sealed class SocketStatTests
{
    private const int Sent = 5000, Answered = 300;

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_connection_is_counted_when_it_begins_and_what_it_carried_when_it_ends(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var server = Servers(service, ProtocolType.Tcp, 1)[0];
            sandbox.SetService(service, IpProtocol.Tcp, SvcFlags.None, (IPEndPoint)server.LocalEndPoint!);
            // straight to the backend: nobody's service
            Talk(Asked(family, server.LocalEndPoint!.ToString()!), family, server, () => { }, abort: false);
            Talk(Asked(family, service), family, server, () => Assert.Equal(new Stat(1, 0, 0, 0, 0), Only(sandbox, server)), abort: false);
            var first = Await(sandbox, server, 0);
            // SYN and FIN take a sequence number each; a handshake, data and an end both ways
            Assert.Equal(1UL, first.Connections);
            Assert.InRange(first.BytesTo, (ulong)Sent, Sent + 2UL);
            Assert.InRange(first.BytesFrom, (ulong)Answered, Answered + 2UL);
            Assert.InRange(first.PacketsTo, 3UL, 20UL);
            Assert.InRange(first.PacketsFrom, 3UL, 20UL);

            Talk(Asked(family, service), family, server, () => { }, abort: true);
            var second = Await(sandbox, server, first.BytesTo);
            Assert.Equal(2UL, second.Connections);
            Assert.InRange(second.BytesTo, 2UL * Sent, 2UL * Sent + 4);
        });
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void Datagrams_are_a_connection_for_each_socket(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            var servers = Servers(service, ProtocolType.Udp, 1);
            sandbox.SetService(service, IpProtocol.Udp, SvcFlags.None, At(servers));
            for (var sockets = 1UL; sockets <= 3; sockets++)
            {
                using var client = SocketSandbox.New(family, ProtocolType.Udp);
                for (var i = 0; i < 5; i++)
                    Exchange(client, Asked(family, service), servers);
                Assert.Equal(new Stat(sockets, 0, 0, 0, 0), Only(sandbox, servers[0]));
            }
            Assert.Equal(SocketError.Success, Connect(family, ProtocolType.Udp, service));
            Assert.Equal(4UL, Only(sandbox, servers[0]).Connections);
            servers[0].Dispose();
        });
    }

    [Fact]
    public void What_is_refused_is_no_connection()
    {
        using var sandbox = new SocketSandbox();
        sandbox.SetService(Vip4, IpProtocol.Tcp, SvcFlags.None);
        sandbox.Run(() => Assert.Equal(SocketError.ConnectionRefused, Connect(AddressFamily.InterNetwork, ProtocolType.Tcp, Vip4)));
        Assert.Empty(sandbox.Stats.ReadAll<StatKey, Stat>());
    }

    private static void Talk(IPEndPoint to, AddressFamily family, Socket server, Action whileOpen, bool abort)
    {
        using var client = SocketSandbox.New(family, ProtocolType.Tcp);
        client.Connect(to);
        using var accepted = server.Accept();
        client.Send(new byte[Sent]);
        Receive(accepted, Sent);
        accepted.Send(new byte[Answered]);
        Receive(client, Answered);
        whileOpen();
        if (abort)
            client.LingerState = new LingerOption(true, 0);
        client.Close();
    }

    private static void Receive(Socket socket, int bytes)
    {
        var buffer = new byte[bytes];
        for (var got = 0; got < bytes;)
            got += socket.Receive(buffer.AsSpan(got));
    }

    private static Stat Only(SocketSandbox sandbox, Socket server)
    {
        var (addr, port) = Backend(server);
        var (key, stat) = Assert.Single(sandbox.Stats.ReadAll<StatKey, Stat>());
        Assert.Equal(new StatKey(addr, 1, port), key);
        return stat;
    }

    // the last packets of a connection are exchanged after its sockets are closed
    private static Stat Await(SocketSandbox sandbox, Socket server, ulong more)
    {
        Assert.True(SpinWait.SpinUntil(() => Only(sandbox, server).BytesTo > more, TimeSpan.FromSeconds(10)),
            "nothing was counted at the end");
        return Only(sandbox, server);
    }
}
