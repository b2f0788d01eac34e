using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>An unconnected datagram socket keeps its backend while that serves.</summary>
[Collection("sockets")]
public sealed class SocketFlowTests
{
    private const int Clients = 16;
    private const ulong Second = 1_000_000_000;
    private static readonly Svc Plain = new(0, 0, 1, SvcFlags.None, 0);

    private sealed class Crowd(SocketSandbox sandbox, AddressFamily family, string service) : IDisposable
    {
        private readonly Socket[] _clients = [.. Enumerable.Range(0, Clients).Select(_ => SocketSandbox.New(family, ProtocolType.Udp))];

        public Socket[] Servers { get; } = SocketWays.Servers(service, ProtocolType.Udp, 4);

        public void Use(IEnumerable<Socket> chosen, IEnumerable<Socket> tail) => sandbox.SetService(service, IpProtocol.Udp, Plain, At(chosen), At(tail));

        public void UseWith(SvcFlags flags, IEnumerable<Socket> tail) => sandbox.SetService(service, IpProtocol.Udp, Plain with { Flags = flags }, [], At(tail));

        /// <summary>Whom each client meets.</summary>
        public int[] Meet() => [.. _clients.Select(c => Exchange(c, Asked(family, service), Servers))];

        public SocketError[] Send() => [.. _clients.Select(c => Error(() => c.SendTo(new byte[1], Asked(family, service))))];

        public void Dispose()
        {
            foreach (var socket in _clients.Concat(Servers))
                socket.Dispose();
        }
    }

    [Theory, MemberData(nameof(SocketWays.All), MemberType = typeof(SocketWays))]
    public void A_flow_stays_in_the_set_and_in_its_tail_and_moves_when_its_backend_is_gone(AddressFamily family, string service)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, family, service);
            var (old, young) = (crowd.Servers[..1], crowd.Servers[1..]);
            crowd.Use(old, []);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            crowd.Use(crowd.Servers, []); // more to choose from: that all choose the same is one in 2^30
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            crowd.Use(young, old); // terminating while others are ready
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            crowd.UseWith(SvcFlags.DropEmpty, crowd.Servers); // none to choose, but it serves elsewhere
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            Assert.Equal((ulong)Clients, Stat(sandbox, crowd.Servers[0]));

            crowd.Use(young, []); // gone
            var moved = crowd.Meet();
            Assert.All(moved, met => Assert.NotEqual(0, met));
            crowd.Use(crowd.Servers, []); // and back: no reason to return
            Assert.Equal(moved, crowd.Meet());
            Assert.Equal((ulong)Clients, crowd.Servers[1..].Aggregate(0UL, (sum, s) => sum + Stat(sandbox, s)));

            crowd.Use([], []);
            Assert.All(crowd.Send(), error => Assert.Equal(SocketError.ConnectionRefused, error));
        });
    }

    [Fact]
    public void A_flow_that_was_idle_for_as_long_as_conntrack_waits_is_a_new_one()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4);
            crowd.Use(crowd.Servers[..1], []);
            crowd.Meet();
            crowd.Use(crowd.Servers, []);
            Age(sandbox, CtTimeouts.Default.UdpStream - 5);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            // its use has refreshed it
            Age(sandbox, 10);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            Age(sandbox, CtTimeouts.Default.UdpStream + 1);
            Assert.NotInRange(crowd.Meet().Distinct().Count(), 0, 1);
        });
    }

    [Fact]
    public void A_flow_that_the_table_forgot_is_found_again_while_the_set_is_the_same()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4);
            crowd.Use(crowd.Servers, []);
            var met = crowd.Meet();
            foreach (var (key, _) in sandbox.Flows.ReadAll<SockRevKey, SockFlow>())
                sandbox.Flows.Delete(key);
            Assert.Equal(met, crowd.Meet());
        });
    }

    [Fact]
    public void A_flow_of_another_service_is_not_believed()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4);
            crowd.Use(crowd.Servers, []);
            var met = crowd.Meet();
            foreach (var (key, flow) in sandbox.Flows.ReadAll<SockRevKey, SockFlow>())
                sandbox.Flows.Update(key, flow with { ServiceId = 2, Port = Backend(crowd.Servers[0]).Port });
            Assert.Equal(met, crowd.Meet());
        });
    }

    private static void Age(SocketSandbox sandbox, ulong seconds)
    {
        foreach (var (key, flow) in sandbox.Flows.ReadAll<SockRevKey, SockFlow>())
            sandbox.Flows.Update(key, flow with { LastUsedNs = flow.LastUsedNs - seconds * Second });
    }

    private static ulong Stat(SocketSandbox sandbox, Socket server)
    {
        var (addr, port) = Backend(server);
        return sandbox.Stats.TryLookup(new StatKey(addr, 1, port), out Stat stat) ? stat.Connections : 0;
    }
}
