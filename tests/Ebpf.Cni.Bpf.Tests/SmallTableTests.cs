using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A connection table that is far too small evicts entries of living connections all the time. Its remaining entries must be true: the
/// answer to a tuple reaches the client that leaves as this tuple, or no client.
/// </summary>
public sealed class SmallTableTests
{
    private const uint TableSize = 512;
    private const int Busy = 60, Passing = 2500, Rounds = 4, Ports = 20, Peers = 3;
    private const ushort NodePort = 30080;

    /// <summary>Busy connections without answers lose their reply entries, whose keys the others want.</summary>
    [Theory]
    [InlineData(false, IpProtocol.Udp), InlineData(false, IpProtocol.Tcp)]
    [InlineData(true, IpProtocol.Udp), InlineData(true, IpProtocol.Tcp)]
    public async Task An_answer_never_reaches_another_connection(bool v6, IpProtocol protocol)
    {
        using var node = new RoutedNode(new PodPrograms(new Config(PodPrograms.Usual | ConfigFlags.Masquerade), TableSize));
        node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, Address.At(Address.Remote(v6), 8080));
        var random = new Random(Seed.Next());
        var busy = Enumerable.Range(0, Busy).Select(_ => Flow(v6, protocol, random)).Distinct().ToList();
        var (strays, heard, asked) = (new List<string>(), 0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            node.Namespace.Run(() => Crowd(node.Programs, busy, () => Flow(v6, protocol, random), random, strays));
            // entries look for their other half once a second
            var clock = Stopwatch.StartNew();
            await Eventually.True(() => clock.ElapsedMilliseconds > 1200, "a second in which nothing is sent");
            asked += busy.Count;
            heard += node.Namespace.Run(() => busy.OrderBy(_ => random.Next()).Count(f => Answered(node.Programs, f, strays)));
        }
        var some = string.Join('\n', strays.Take(5));
        Assert.True(strays.Count == 0, $"{strays.Count} answers went astray:\n{some}\n{node.Programs.Counts()}");
        Assert.True(heard > asked / 2, $"only {heard} of {asked} answers were heard; {node.Programs.Counts()}");
    }

    // single packets, every second one answered at once, and between them the busy connections'
    private static void Crowd(PodPrograms node, List<Packet> busy, Func<Packet> next, Random random, List<string> strays)
    {
        // none comes twice in a round, of which each lasts less than a second
        var seen = new HashSet<Packet>(busy);
        foreach (var flow in busy)
            Pass(node, flow);
        for (var i = 0; i < Passing; i++)
        {
            Pass(node, Open(busy[i % busy.Count]));
            var passing = next();
            if (!seen.Add(passing))
                continue;
            if (random.Next(2) == 0)
                Pass(node, passing);
            else
                Answered(node, passing, strays, opens: true);
        }
    }

    // from few ports to few peers, so that many clients want the same tuple: a pod that leaves the cluster, or a client of a NodePort
    private static Packet Flow(bool v6, IpProtocol protocol, Random random)
    {
        var (peer, client) = (1 + random.Next(Peers), 1 + random.Next(200));
        var packet = new Packet
        {
            Src = RoutedNode.Pod(v6, random.Next(RoutedNode.Pods)), Dst = v6 ? $"2001:db8:7::{peer}" : $"198.51.100.{peer}",
            Sport = (ushort)(1000 + random.Next(Ports)), Dport = 53, Protocol = protocol, Flags = Tcp(protocol, TcpFlags.Syn),
            Payload = Nothing,
        };
        var outside = v6 ? $"2001:db8:9::{client}" : $"203.0.113.{client}";
        return random.Next(2) == 0 ? packet : packet with { Src = outside, Dst = RoutedNode.Node(v6), Dport = NodePort, DstMac = default };
    }

    private static readonly byte[] Nothing = [];

    private static TcpFlags Tcp(IpProtocol protocol, TcpFlags flags) => protocol == IpProtocol.Tcp ? flags : default;

    private static Packet Open(Packet flow) => flow with { Flags = Tcp(flow.Protocol, TcpFlags.Ack) };

    private static BpfTestRunResult Pass(PodPrograms node, Packet packet) =>
        packet.Dport == NodePort ? node.Arrive(packet) : node.Send(packet);

    /// <summary>The flow goes on, or begins anew where the table has lost it. Did the answer to its tuple come back to it?</summary>
    private static bool Answered(PodPrograms node, Packet flow, List<string> strays, bool opens = false)
    {
        var request = opens ? flow : Open(flow);
        var sent = Pass(node, request);
        if (!Left(request, sent))
            sent = Pass(node, request = flow);
        if (!Left(request, sent))
            return false;
        var answer = new Packet
        {
            Src = Frame.Destination(sent.Packet), Dst = Frame.Source(sent.Packet),
            Sport = Frame.Dport(sent.Packet), Dport = Frame.Sport(sent.Packet),
            Protocol = flow.Protocol, Flags = Tcp(flow.Protocol, TcpFlags.SynAck), Payload = Nothing, DstMac = default,
        };
        var arrived = node.Arrive(answer);
        var (mine, got) = (Frame.Tuple(flow.Answer(default).Bytes()), Frame.Tuple(arrived.Packet));
        if (arrived.ReturnValue == PodPrograms.Shot || got == Frame.Tuple(answer.Bytes()))
            return false; // no client's: the reply entry is evicted again
        if (got != mine)
            strays.Add($"{Frame.Tuple(request.Bytes())} left as {Frame.Tuple(sent.Packet)}, and the answer went as {got}");
        return got == mine;
    }

    private static bool Left(Packet request, BpfTestRunResult sent) =>
        sent.ReturnValue != PodPrograms.Shot && Frame.Tuple(sent.Packet) != Frame.Tuple(request.Bytes());
}
