using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Random histories of packets and changes: the programs do what the model says, byte for byte.</summary>
public sealed class FlowPropertyTests
{
    private const int Steps = 20000;
    private static readonly ushort[] ClientPorts = [1000, 1001, 1002, 1003, 1004, 1005];
    private static readonly TcpFlags[] Flags =
        [TcpFlags.Syn, TcpFlags.Syn, TcpFlags.Ack, TcpFlags.Data, TcpFlags.Data, TcpFlags.FinAck, TcpFlags.Rst];

    [Fact]
    public void Programs_and_model_agree()
    {
        using var pod = new PodPrograms().WithPods();
        var random = new Random(Seed.Next());
        var model = new FlowModel();
        var translated = 0;
        for (var step = 0; step < Steps; step++)
        {
            switch (random.Next(20))
            {
                case 0:
                    Change(pod, model, random);
                    break;
                case < 13:
                    translated += Request(pod, model, random) ? 1 : 0;
                    break;
                default:
                    Answer(pod, model, random);
                    break;
            }
        }
        Assert.True(translated > Steps / 10, $"only {translated} of {Steps} steps translated anything");
        Console.WriteLine($"{Steps} steps, {translated} requests translated: {pod.Counts()}");
    }

    // a frontend's backends have a port of their own, so that two services never share one
    private static (bool V6, int Number, IpProtocol Protocol) Service(Random random) =>
        (random.Next(2) == 0, random.Next(3), random.Next(2) == 0 ? IpProtocol.Tcp : IpProtocol.Udp);

    private static string Frontend(bool v6, int number) => Address.At(v6 ? $"fd00:96::{number + 1}" : $"10.96.0.{number + 1}", 80);

    private static string Backend(bool v6, int number, int i) => Address.At(
        i switch { 0 => Address.Client(v6), 1 => Address.Server(v6), _ => v6 ? $"fd00:2::{i}" : $"10.2.0.{i}" }, 8000 + number);

    private static void Change(PodPrograms pod, FlowModel model, Random random)
    {
        var (v6, number, protocol) = Service(random);
        var frontend = Frontend(v6, number);
        if (random.Next(6) == 0)
        {
            pod.Services.Delete(PodPrograms.Key(frontend, protocol));
            model.Delete(frontend, protocol);
            return;
        }
        var flags = random.Next(3) == 0 ? SvcFlags.DropEmpty : SvcFlags.None;
        string[] backends = random.Next(5) == 0
            ? [] : [.. Enumerable.Range(0, 9).Where(_ => random.Next(2) == 0).Select(i => Backend(v6, number, i))];
        pod.SetService(PodPrograms.Key(frontend, protocol), flags, backends);
        model.Set(frontend, protocol, flags, backends);
    }

    private static bool Request(PodPrograms pod, FlowModel model, Random random)
    {
        var (v6, number, protocol) = Service(random);
        var frontend = Frontend(v6, number);
        var request = new Packet
        {
            Src = Address.Client(v6), Dst = IPEndPoint.Parse(frontend).Address.ToString(), Protocol = protocol,
            Sport = ClientPorts[random.Next(ClientPorts.Length)], Flags = protocol == IpProtocol.Tcp ? Flags[random.Next(Flags.Length)] : 0,
            Payload = new byte[random.Next(40)],
        };
        random.NextBytes(request.Payload);
        var expected = model.Forward(request, frontend);
        var before = pod.Count(expected.Reason);
        var sent = pod.Send(request);
        Assert.True(pod.Count(expected.Reason) == before + 1, $"{expected.Reason} was expected for {request}");
        switch (expected.Reason)
        {
            case Reason.Forwarded:
                Assert.Equal(PodPrograms.Ok, sent.ReturnValue);
                SamePacket.Equal(request, sent.Packet);
                return false;
            case Reason.NoLocalBackend or Reason.NoConnection:
                Assert.Equal(PodPrograms.Shot, sent.ReturnValue);
                return false;
            case Reason.NoBackend:
                Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
                return false;
        }
        var fresh = model.IsFresh(request, frontend);
        var chosen = expected.Backends.SingleOrDefault(b => Towards(request, b).Bytes().AsSpan().SequenceEqual(sent.Packet));
        if (chosen is null)
            SamePacket.Equal(Towards(request, expected.Backends[0]), sent.Packet);
        model.Forwarded(request, frontend, chosen!, fresh);
        return true;
    }

    /// <summary>The request as it must leave towards a backend: elsewhere, on this node, or the pod itself.</summary>
    private static Packet Towards(Packet request, string backend)
    {
        var at = IPEndPoint.Parse(backend);
        var sent = request with { Dst = at.Address.ToString(), Dport = (ushort)at.Port };
        if (sent.Dst == Address.Server(request.IsV6))
            return sent with { Ttl = 63, SrcMac = Macs.ServerGateway, DstMac = Macs.Server };
        return sent.Dst == request.Src
            ? sent with { Src = Address.Hairpin(request.IsV6), Ttl = 63, SrcMac = Macs.Gateway, DstMac = Macs.Client }
            : sent;
    }

    private static void Answer(PodPrograms pod, FlowModel model, Random random)
    {
        var connections = model.Answering.ToList();
        if (connections.Count == 0)
            return;
        var connection = connections[random.Next(connections.Count)];
        var request = connection.Request;
        var flags = request.Protocol == IpProtocol.Tcp
            ? random.Next(4) switch { 0 => TcpFlags.SynAck, 1 => TcpFlags.FinAck, 2 => TcpFlags.Rst, _ => TcpFlags.Data } : 0;
        var expected = request.Answer(flags) with { SrcMac = Macs.Gateway, DstMac = Macs.Client };
        if (IPEndPoint.Parse(connection.Backend).Address.ToString() == request.Src)
        {
            // the pod answers itself, through the program that it sends by
            var answer = Towards(request, connection.Backend).Answer(flags) with { Ttl = 64, SrcMac = Macs.Client, DstMac = Macs.Gateway };
            SamePacket.Equal(expected with { Ttl = 63 }, pod.Send(answer).Packet);
        }
        else
        {
            var at = IPEndPoint.Parse(connection.Backend);
            var answer = expected with { Src = at.Address.ToString(), Sport = (ushort)at.Port };
            SamePacket.Equal(expected, pod.Receive(answer).Packet);
        }
        FlowModel.Answered(connection, flags);
    }
}
