using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A packet to a service, and its answer, byte for byte.</summary>
public sealed class ServiceTests
{
    public static TheoryData<bool, IpProtocol> Kinds => new()
    {
        { false, IpProtocol.Tcp }, { false, IpProtocol.Udp }, { true, IpProtocol.Tcp }, { true, IpProtocol.Udp },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void A_remote_backend_is_reached_through_the_stack_and_answers_as_the_service(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Remote(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol };

        var sent = pod.Send(request);
        Assert.Equal(PodPrograms.Ok, sent.ReturnValue);
        var translated = request with { Dst = Address.Remote(v6), Dport = 8080 };
        SamePacket.Equal(translated, sent.Packet);

        var received = pod.Receive(translated.Answer(TcpFlags.SynAck));
        Assert.Equal(PodPrograms.Ok, received.ReturnValue);
        SamePacket.Equal(request.Answer(TcpFlags.SynAck), received.Packet);
        Assert.Equal("PodEgress.Service=1 PodIngress.Reply=1", pod.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_backend_on_this_node_is_reached_directly_one_hop_away(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Server(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol };

        var sent = pod.Send(request);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        var delivered = request with
        {
            Dst = Address.Server(v6), Dport = 8080, Ttl = 63, SrcMac = Macs.ServerGateway, DstMac = Macs.Server,
        };
        SamePacket.Equal(delivered, sent.Packet);
        Assert.Equal("PodEgress.Service=1", pod.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pods_answer_to_a_pod_of_this_node_gets_the_services_address_back(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Server(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol };
        pod.Send(request);

        // the server's turn to send: test runs always come from interface 1
        pod.AddPod(Address.Server(v6), PodPrograms.ClientIfindex, Macs.Server, Macs.ServerGateway);
        pod.AddPod(Address.Client(v6), PodPrograms.ServerIfindex, Macs.Client, Macs.Gateway);
        var answer = request.Answer(TcpFlags.SynAck) with
            { Src = Address.Server(v6), Sport = 8080, SrcMac = Macs.Server, DstMac = Macs.ServerGateway };
        var sent = pod.Send(answer);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        SamePacket.Equal(answer with { Src = Address.Vip(v6), Sport = 80, Ttl = 63, SrcMac = Macs.Gateway, DstMac = Macs.Client },
            sent.Packet);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_reaches_itself_through_a_service(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Client(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol };

        var sent = pod.Send(request);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        var looped = request with
        {
            Src = Address.Hairpin(v6), Dst = Address.Client(v6), Dport = 8080, Ttl = 63, SrcMac = Macs.Gateway, DstMac = Macs.Client,
        };
        SamePacket.Equal(looped, sent.Packet);

        var answer = looped.Answer(TcpFlags.SynAck) with { Ttl = 64, SrcMac = Macs.Client, DstMac = Macs.Gateway };
        var back = pod.Send(answer);
        Assert.Equal(PodPrograms.Redirect, back.ReturnValue);
        SamePacket.Equal(
            answer with { Src = Address.Vip(v6), Sport = 80, Dst = Address.Client(v6), Ttl = 63, SrcMac = Macs.Gateway,
                DstMac = Macs.Client },
            back.Packet);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void What_is_no_service_is_left_alone(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        var elsewhere = new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6) };
        Packet[] others =
        [
            elsewhere, elsewhere with { Flags = TcpFlags.Data }, elsewhere with { Protocol = IpProtocol.Udp },
            elsewhere with { Dst = Address.Vip(v6), Dport = 81 },
            elsewhere with { Dst = Address.Vip(v6), Protocol = IpProtocol.Udp },
            elsewhere with { Dst = Address.Vip(v6), Protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp,
                IcmpType = v6 ? (byte)128 : (byte)8 },
        ];
        foreach (var packet in others)
        {
            var sent = pod.Send(packet);
            Assert.Equal(PodPrograms.Ok, sent.ReturnValue);
            SamePacket.Equal(packet, sent.Packet);
        }
        Assert.Equal($"PodEgress.Forwarded={others.Length}", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void With_services_switched_off_nothing_is_translated(bool v6)
    {
        using var pod = new PodPrograms(ConfigFlags.RedirectPeer).WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6) };
        SamePacket.Equal(request, pod.Send(request).Packet);
        Assert.Equal("PodEgress.Forwarded=1", pod.Counts());
    }

    [Fact]
    public void A_UDP_checksum_of_none_stays_none()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 53), IpProtocol.Udp, Address.At(Address.Remote4, 5353));
        var request = new Packet { Src = Address.Client4, Dst = Address.Vip4, Dport = 53, Protocol = IpProtocol.Udp, NoUdpChecksum = true };
        SamePacket.Equal(request with { Dst = Address.Remote4, Dport = 5353 }, pod.Send(request).Packet);
    }

    [Fact]
    public void A_UDP_checksum_that_becomes_zero_is_written_as_ones()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 53), IpProtocol.Udp, Address.At(Address.Remote4, 5353));
        var request = new Packet { Src = Address.Client4, Dst = Address.Vip4, Dport = 53, Protocol = IpProtocol.Udp };
        // two payload bytes walk through every value of the translated packet's checksum
        for (var i = 0; i <= 0xffff; i++)
        {
            var candidate = request with { Payload = [(byte)(i >> 8), (byte)i] };
            var translated = (candidate with { Dst = Address.Remote4, Dport = 5353 }).Bytes();
            if (translated[40] != 0xff || translated[41] != 0xff)
                continue;
            Assert.Equal(translated, pod.Send(candidate).Packet);
            return;
        }
        Assert.Fail("no payload gives that checksum");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Options_and_extension_headers_are_stepped_over(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        var request = new Packet
        {
            Src = Address.Client(v6),
            Dst = Address.Vip(v6),
            Options = v6 ? [] : [1, 1, 1, 1, 1, 1, 1, 0],
            Extensions = v6 ? [new(0, new byte[6]), new(60, new byte[14]), new(43, new byte[6]), new(51, new byte[22])] : [],
        };
        SamePacket.Equal(request with { Dst = Address.Remote(v6), Dport = 8080 }, pod.Send(request).Packet);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_packet_without_a_hop_left_is_answered(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Server(v6), 8080));
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Ttl = 1, Payload = [] };
        var sent = pod.Send(request);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        SamePacket.Equal(
            new Packet
            {
                SrcMac = Macs.Gateway, DstMac = Macs.Client, Src = request.Dst, Dst = request.Src, Id = 0, Ttl = 64,
                Protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp, IcmpType = v6 ? (byte)3 : (byte)11, Payload = request.Bytes()[14..],
            },
            sent.Packet);
        // about what is for no service the host's stack says so
        var direct = request with { Dst = Address.Server(v6) };
        Assert.Equal(PodPrograms.Ok, pod.Send(direct).ReturnValue);
        SamePacket.Equal(direct, pod.Send(direct).Packet);
    }
}
