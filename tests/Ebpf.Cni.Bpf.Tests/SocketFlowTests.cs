using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using static Ebpf.Cni.Bpf.Tests.Fixtures.SocketWays;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A datagram socket keeps its backend while that serves: of its first frontend, which is kept with the socket, and of others, which are in
/// the tables.
/// </summary>
[Collection("sockets")]
public sealed class SocketFlowTests
{
    private const int Clients = 16;
    private const ulong Second = 1_000_000_000;
    private const string Before4 = "10.96.0.9:80", Before6 = "[fd00:96::9]:80";
    private static readonly Svc Plain = new(0, 0, 1, SvcFlags.None, 0);

    public static TheoryData<AddressFamily, string, bool> Places
    {
        get
        {
            var data = new TheoryData<AddressFamily, string, bool>();
            foreach (var way in SocketWays.All)
                foreach (var first in new[] { true, false })
                    data.Add(way.Data.Item1, way.Data.Item2, first);
            return data;
        }
    }

    private sealed class Crowd : IDisposable
    {
        private readonly SocketSandbox _sandbox;
        private readonly AddressFamily _family;
        private readonly string _service;
        private readonly Socket[] _clients;
        private readonly bool _first;

        /// <param name="first">The service is the first that the clients ask; else they asked another before.</param>
        public Crowd(SocketSandbox sandbox, AddressFamily family, string service, bool first)
        {
            (_sandbox, _family, _service, _first) = (sandbox, family, service, first);
            _clients = [.. Enumerable.Range(0, Clients).Select(_ => SocketSandbox.New(family, ProtocolType.Udp))];
            Servers = SocketWays.Servers(service, ProtocolType.Udp, 4);
            if (first)
                return;
            var before = service == Vip6 ? Before6 : Before4;
            using var server = SocketWays.Servers(service, ProtocolType.Udp, 1)[0];
            sandbox.SetService(before, IpProtocol.Udp, Plain with { ServiceId = 3 }, At([server]), []);
            foreach (var client in _clients)
                Exchange(client, Asked(family, before), [server]);
        }

        public Socket[] Servers { get; }

        public void Use(IEnumerable<Socket> chosen, IEnumerable<Socket> tail) =>
            _sandbox.SetService(_service, IpProtocol.Udp, Plain, At(chosen), At(tail));

        public void UseWith(SvcFlags flags, IEnumerable<Socket> tail) =>
            _sandbox.SetService(_service, IpProtocol.Udp, Plain with { Flags = flags }, [], At(tail));

        /// <summary>Whom each client meets.</summary>
        public int[] Meet() => [.. _clients.Select(c => Exchange(c, Asked(_family, _service), Servers))];

        public SocketError[] Send() => [.. _clients.Select(c => Error(() => c.SendTo(new byte[1], Asked(_family, _service))))];

        /// <summary>As if that had happened so much earlier.</summary>
        public void Age(ulong seconds) => Change(
            flow => flow with { LastUsedNs = flow.LastUsedNs - (seconds * Second) },
            flow => flow with { LastUsedNs = flow.LastUsedNs - (seconds * Second) });

        /// <summary>Writes the service's flows anew, where they are.</summary>
        public void Change(Func<Sk, Sk> kept, Func<SockFlow, SockFlow> inTable)
        {
            foreach (var client in _clients.Where(_ => _first))
                _sandbox.Asked.Update((uint)client.Handle, kept(_sandbox.AskedBy(client)!.Value));
            foreach (var (key, flow) in _sandbox.Flows.ReadAll<SockRevKey, SockFlow>())
                _sandbox.Flows.Update(key, inTable(flow));
        }

        public void Dispose()
        {
            foreach (var socket in _clients.Concat(Servers))
                socket.Dispose();
        }
    }

    [Theory, MemberData(nameof(Places))]
    public void A_flow_stays_in_the_set_and_in_its_tail_and_moves_when_its_backend_is_gone(AddressFamily family, string service, bool first)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, family, service, first);
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
            // to the frontend's own address, where the packet is refused; from here there is no way
            Assert.All(crowd.Send(), error => Assert.Equal(SocketError.NetworkUnreachable, error));
            crowd.Use(old, []);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
        });
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_flow_that_was_idle_for_as_long_as_conntrack_waits_is_a_new_one(bool first)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4, first);
            crowd.Use(crowd.Servers[..1], []);
            crowd.Meet();
            crowd.Use(crowd.Servers, []);
            crowd.Age(CtTimeouts.Default.UdpStream - 5);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            // its use has refreshed it
            crowd.Age(10);
            Assert.All(crowd.Meet(), met => Assert.Equal(0, met));
            crowd.Age(CtTimeouts.Default.UdpStream + 1);
            Assert.NotInRange(crowd.Meet().Distinct().Count(), 0, 1);
        });
    }

    [Fact]
    public void A_flow_that_the_table_forgot_is_found_again_while_the_set_is_the_same()
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4, first: false);
            crowd.Use(crowd.Servers, []);
            var met = crowd.Meet();
            Assert.Equal(Clients, sandbox.Flows.ReadAll<SockRevKey, SockFlow>().Count);
            foreach (var (key, _) in sandbox.Flows.ReadAll<SockRevKey, SockFlow>())
                sandbox.Flows.Delete(key);
            Assert.Equal(met, crowd.Meet());
        });
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_flow_of_another_service_is_not_believed(bool first)
    {
        using var sandbox = new SocketSandbox();
        sandbox.Run(() =>
        {
            using var crowd = new Crowd(sandbox, AddressFamily.InterNetwork, Vip4, first);
            crowd.Use(crowd.Servers, []);
            var met = crowd.Meet();
            var other = Backend(crowd.Servers[0]).Port;
            crowd.Change(flow => flow with { ServiceId = 2, Port = other }, flow => flow with { ServiceId = 2, Port = other });
            Assert.Equal(met, crowd.Meet());
        });
    }

    private static ulong Stat(SocketSandbox sandbox, Socket server)
    {
        var (addr, port) = Backend(server);
        return sandbox.Stats.TryLookup(new StatKey(addr, 1, port), out Stat stat) ? stat.Connections : 0;
    }
}
