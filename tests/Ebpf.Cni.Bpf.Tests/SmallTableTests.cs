using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A connection table that is far too small loses entries of living connections all the time. What it still knows must be true: whoever leaves as a tuple
/// gets what answers that tuple, or nobody does.
/// </summary>
public sealed class SmallTableTests
{
    private const uint TableSize = 512;
    private const int Connections = 2500, Rounds = 3, Ports = 40, Peers = 3;
    private const ushort NodePort = 30080;

    [Theory]
    [InlineData(false, IpProtocol.Udp), InlineData(false, IpProtocol.Tcp), InlineData(true, IpProtocol.Udp), InlineData(true, IpProtocol.Tcp)]
    public async Task An_answer_never_reaches_another_connection(bool v6, IpProtocol protocol)
    {
        var config = new Config(PodPrograms.Usual | ConfigFlags.Masquerade);
        using var node = new RoutedNode(new PodPrograms(config, TableSize));
        node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, Address.At(Address.Remote(v6), 8080));
        var random = new Random(Seed.Next());
        var flows = Flows(v6, protocol, random);
        var strays = new List<string>();
        // at first nobody answers: what is not looked up is what the table gives away
        node.Namespace.Run(() => flows.ForEach(f => Pass(node.Programs, f)));
        var heard = 0;
        for (var round = 0; round < Rounds; round++)
        {
            // an entry is looked at anew once it was not for a second
            var clock = Stopwatch.StartNew();
            await Eventually.True(() => clock.ElapsedMilliseconds > 1200, "a second in which nothing is sent");
            heard += node.Namespace.Run(() => Round(node.Programs, [.. flows.OrderBy(_ => random.Next())], strays, round));
        }
        Assert.True(strays.Count == 0, $"{strays.Count} answers went astray, of {Rounds * Connections}:\n{string.Join('\n', strays.Take(5))}\n{node.Programs.Counts()}");
        Assert.True(heard > Rounds * Connections / 2, $"only {heard} of {Rounds * Connections} answers were heard; {node.Programs.Counts()}");
    }

    // distinct, from few ports to few peers, so that many clients want the same tuple; every second one comes from outside to a service
    private static List<Packet> Flows(bool v6, IpProtocol protocol, Random random)
    {
        var flows = new HashSet<Packet>();
        var flags = protocol == IpProtocol.Tcp ? TcpFlags.Syn : default;
        byte[] nothing = [];
        while (flows.Count < Connections)
        {
            var port = (ushort)(1000 + random.Next(Ports));
            var client = random.Next(random.Next(2) == 0 ? RoutedNode.Pods : 60);
            flows.Add(client < RoutedNode.Pods && random.Next(2) == 0
                ? new Packet { Src = RoutedNode.Pod(v6, client), Dst = v6 ? $"2001:db8:7::{1 + random.Next(Peers)}" : $"198.51.100.{1 + random.Next(Peers)}", Sport = port, Dport = 53, Protocol = protocol, Flags = flags, Payload = nothing }
                : new Packet { Src = v6 ? $"2001:db8:9::{1 + client}" : $"203.0.113.{1 + client}", Dst = RoutedNode.Node(v6), Sport = port, Dport = NodePort, Protocol = protocol, Flags = flags, Payload = nothing, DstMac = default });
        }
        return [.. flows];
    }

    private static BpfTestRunResult Pass(PodPrograms node, Packet packet) => packet.Dport == NodePort ? node.Arrive(packet) : node.Send(packet);

    private static int Round(PodPrograms node, List<Packet> flows, List<string> strays, int round)
    {
        var heard = 0;
        foreach (var flow in flows)
        {
            var request = flow with { Flags = flow.Protocol == IpProtocol.Tcp ? TcpFlags.Ack : default };
            var sent = Pass(node, request);
            if (sent.ReturnValue == PodPrograms.Shot)
                // a connection that the table has lost; its client begins another one
                sent = Pass(node, request = flow);
            if (sent.ReturnValue == PodPrograms.Shot || Frame.Tuple(sent.Packet) == Frame.Tuple(request.Bytes()))
                continue;
            var answer = new Packet
            {
                Src = Frame.Destination(sent.Packet), Dst = Frame.Source(sent.Packet), Sport = Frame.Dport(sent.Packet), Dport = Frame.Sport(sent.Packet), Protocol = flow.Protocol,
                Flags = flow.Protocol == IpProtocol.Tcp ? TcpFlags.SynAck : default, Payload = [], DstMac = default,
            };
            var arrived = node.Arrive(answer);
            var (mine, got) = (Frame.Tuple(flow.Answer(default).Bytes()), Frame.Tuple(arrived.Packet));
            if (arrived.ReturnValue == PodPrograms.Shot || got == Frame.Tuple(answer.Bytes()))
                continue; // nobody's: the entry of the answers is gone again
            heard++;
            if (got != mine)
                strays.Add($"round {round}: {Frame.Tuple(request.Bytes())} left as {Frame.Tuple(sent.Packet)}, and the answer went as {got}");
        }
        return heard;
    }
}
