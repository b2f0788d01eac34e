using System.Buffers.Binary;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Answers are told apart by their port: whatever shares a backend, no two living connections share what the backend answers to.
/// </summary>
public sealed class SourcePortTests
{
    private const ushort First = 50000, Last = 50063;
    // with more of them the tries for a port, whose number is bounded, now and then all fail
    private const int Clients = 8, Frontends = 3, Connections = 40;
    private static readonly Config Narrow = new Config(ConfigFlags.TcServices) with { SnatPortMin = First, SnatPortMax = Last };

    [Theory, InlineData(false, IpProtocol.Tcp), InlineData(false, IpProtocol.Udp), InlineData(true, IpProtocol.Tcp),
        InlineData(true, IpProtocol.Udp)]
    public void No_two_connections_share_their_answers_and_each_answer_finds_its_client(bool v6, IpProtocol protocol)
    {
        using var node = Serving(v6, protocol);
        var random = new Random(Seed.Next());
        var made = new Dictionary<(ushort Port, string Source), Packet>();
        var flows = new HashSet<(int, int, int)>();
        while (made.Count < Connections)
        {
            var flow = (random.Next(Clients), random.Next(Frontends), 1000 + random.Next(5)); // few ports: most are wanted by several
            if (!flows.Add(flow))
                continue;
            var request = new Packet
            {
                Src = Client(v6, flow.Item1), Dst = Frontend(v6, flow.Item2), Sport = (ushort)flow.Item3, Protocol = protocol,
                    DstMac = default,
            };
            var sent = node.Arrive(request);
            Assert.Equal(PodPrograms.Ok, sent.ReturnValue);
            var port = BinaryPrimitives.ReadUInt16BigEndian(sent.Packet.AsSpan(v6 ? 54 : 34));
            SamePacket.Equal(request with { Src = Town.NodeAddress(v6), Dst = Address.Remote(v6), Dport = 8080, Sport = port },
                sent.Packet);
            Assert.True(port == request.Sport || port is >= First and <= Last, $"port {port}");
            Assert.True(made.TryAdd((port, Town.NodeAddress(v6)), request), $"port {port} answers to two connections");
            // a repeated packet goes the same way
            Assert.Equal(sent.Packet, node.Arrive(request).Packet);
        }
        Assert.Contains(made, m => m.Key.Port != m.Value.Sport);
        Assert.Contains(made, m => m.Key.Port == m.Value.Sport);
        foreach (var ((port, source), request) in made)
        {
            var answer = new Packet
            {
                Src = Address.Remote(v6), Dst = source, Sport = 8080, Dport = port, Protocol = protocol, Flags = TcpFlags.SynAck,
                    DstMac = default,
            };
            SamePacket.Equal(
                answer with { Src = request.Dst, Dst = request.Src, Sport = request.Dport, Dport = request.Sport },
                node.Arrive(answer).Packet);
        }
        Assert.Equal(2 * made.Count, node.Conntrack.ReadAll<CtKey, Ct>().Count);
    }

    /// <summary>Two CPUs, each with clients of its own, want the same ports towards the same backend in the same instants.</summary>
    [Fact]
    public void Clients_that_meet_on_two_processors_never_share_their_answers()
    {
        const int rounds = 10_000;
        var arrived = 0;
        using var node = Serving(v6: false, IpProtocol.Tcp, new Config(ConfigFlags.TcServices));
        var threads = Enumerable.Range(0, 2).Select(n => new Thread(() =>
        {
            for (var i = 0; i < rounds; i++)
            {
                var request = new Packet { Src = $"198.51.100.{1 + n}", Dst = Frontend(false, 0), Sport = (ushort)(1000 + i),
                    DstMac = default };
                // together to some ten nanoseconds: a barrier that sleeps would not do
                Interlocked.Increment(ref arrived);
                while (Volatile.Read(ref arrived) < 2 * (i + 1))
                    Thread.SpinWait(1);
                node.Arrive(request);
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());

        var entries = node.Conntrack.ReadAll<CtKey, Ct>().ToDictionary(e => e.Key, e => e.Value);
        Assert.Equal(2 * 2 * rounds, entries.Count);
        foreach (var (key, entry) in entries.Where(e => !e.Value.Flags.HasFlag(CtFlags.Reply)))
        {
            var twin = entries[new CtKey(entry.Dst, entry.Src, entry.Dport, entry.Sport, key.Proto)];
            Assert.Equal((key.Src, key.Sport), (twin.Dst, twin.Dport));
        }
    }

    [Fact]
    public void Where_no_port_is_left_the_connection_is_dropped_and_one_that_ended_makes_way()
    {
        using var node = Serving(v6: false, IpProtocol.Tcp);
        var requests = Enumerable.Range(0, 300).Select(
            i => new Packet { Src = $"198.51.{i / 200}.{1 + i % 200}", Dst = Frontend(false, 0), Sport = 1000, DstMac = default }).ToList();
        var results = requests.Select(r => node.Arrive(r).ReturnValue).ToList();
        Assert.Equal(PodPrograms.Shot, results[^1]);
        var passed = results.Count(r => r == PodPrograms.Ok);
        Assert.InRange(passed, 32, 65); // the 64 of the range, and the one that kept its own
        Assert.Equal((ulong)(300 - passed), node.Count(Reason.SnatPorts, Hook.UplinkIngress));

        node.Arrive(requests[0] with { Flags = TcpFlags.Rst });
        Assert.Equal(PodPrograms.Ok, node.Arrive(requests[^1] with { Sport = 1000 }).ReturnValue);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void What_comes_from_or_goes_to_a_loopback_address_is_dropped(bool v6)
    {
        using var node = Serving(v6, IpProtocol.Tcp);
        var loopback = v6 ? "::1" : "127.0.0.1";
        Assert.Equal(PodPrograms.Shot, node.Arrive(new Packet { Src = loopback, Dst = Frontend(v6, 0) }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Arrive(new Packet { Src = Client(v6, 0), Dst = loopback }).ReturnValue);
        Assert.Equal("UplinkIngress.Loopback=2", node.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Ranges_empty_sets_and_markers_are_obeyed(bool v6)
    {
        using var node = Serving(v6, IpProtocol.Tcp);
        var request = new Packet { Src = Client(v6, 0), Dst = Frontend(v6, 0), Payload = [] };
        var key = PodPrograms.Key(Address.At(Frontend(v6, 0), 80), IpProtocol.Tcp);
        node.SetService(key, SvcFlags.SourceRanges, Address.At(Address.Remote(v6), 8080));
        Assert.Equal(PodPrograms.Shot, node.Arrive(request).ReturnValue);
        node.AddSourceRange(key, v6 ? "2001:db8::/64" : "198.51.100.0/24");
        Assert.Equal(PodPrograms.Ok, node.Arrive(request).ReturnValue);
        Assert.Equal("UplinkIngress.Service=1 UplinkIngress.SourceRange=1", node.Counts());

        // what is said of outside comes before what is said of inside, and only from outside
        node.SetService(key with { Scope = Scope.External }, SvcFlags.DropEmpty);
        Assert.Equal(PodPrograms.Shot, node.Arrive(request with { Sport = 2 }).ReturnValue);
        Assert.Equal(1UL, node.Count(Reason.NoLocalBackend, Hook.UplinkIngress));

        node.AddAddressMarker(Frontend(v6, 0));
        var refused = node.Arrive(request with { Dport = 81 });
        Assert.Equal(PodPrograms.Redirect, refused.ReturnValue);
        Assert.Equal(1UL, node.Count(Reason.Port, Hook.UplinkIngress));
        var quoted = (request with { Dport = 81, DstMac = default }).Bytes()[14..];
        SamePacket.Equal(
            new Packet
            {
                SrcMac = default, DstMac = request.SrcMac, Src = request.Dst, Dst = request.Src, Id = 0, Ttl = 64,
                Protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp, IcmpType = v6 ? (byte)1 : (byte)3, IcmpCode = v6 ? (byte)4 : (byte)3,
                Payload = quoted,
            },
            refused.Packet);
    }

    [Fact]
    public void Later_fragments_wait_where_their_ports_may_matter()
    {
        using var node = Serving(v6: false, IpProtocol.Udp);
        node.AddCluster($"{Town.Node4}/32", IpcacheFlags.Node | IpcacheFlags.Local);
        node.AddCluster("10.2.0.0/16", IpcacheFlags.Pod);
        node.AddAddressMarker(Address.Vip4);
        var later = new Packet
        {
            Src = Client(false, 0), Dst = Town.Node4, Protocol = IpProtocol.Udp, Payload = new byte[4500],
                Piece = new Piece(1400, 1400, true, 7), DstMac = default,
        };
        Assert.Equal(PodPrograms.Shot, node.Arrive(later).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Arrive(later with { Dst = Address.Vip4 }).ReturnValue);
        Assert.Equal("UplinkIngress.Forwarded=2", node.Counts());

        // the controls: what passes by, and what is too large to wait, which is never left to the stack with a cluster address
        foreach (var free in new[] { later with { Dst = "10.2.0.99" }, later with { Piece = new Piece(1400, 2400, true, 7) } })
        {
            var sent = node.Arrive(free);
            Assert.Equal(PodPrograms.Ok, sent.ReturnValue);
            SamePacket.Equal(free, sent.Packet);
        }
        Assert.Equal(PodPrograms.Shot, node.Arrive(later with { Dst = Address.Vip4, Piece = new Piece(1400, 2400, true, 7) }).ReturnValue);
        Assert.Equal("UplinkIngress.Forwarded=4 UplinkIngress.Fragment=1", node.Counts());
    }

    private static string Client(bool v6, int i) => v6 ? $"2001:db8::{i + 1}" : $"198.51.100.{i + 1}";

    private static string Frontend(bool v6, int i) => v6 ? $"fd00:203::{i + 1}" : $"203.0.113.{i + 1}";

    // several frontends, one backend elsewhere, a node with few ports
    private static PodPrograms Serving(bool v6, IpProtocol protocol, Config? config = null)
    {
        var node = new PodPrograms(config ?? Narrow);
        node.SetUplink(0, Town.Node4, Town.Node6);
        for (var i = 0; i < Frontends; i++)
            node.AddService(Address.At(Frontend(v6, i), 80), protocol, Address.At(Address.Remote(v6), 8080));
        return node;
    }
}
