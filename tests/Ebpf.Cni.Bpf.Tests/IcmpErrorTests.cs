using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Errors about translated packets, compared with the error about the packet as its sender knows it, checksums and all.</summary>
public sealed class IcmpErrorTests
{
    private const string Router4 = "172.16.0.1", Router6 = "fd00:ff::1", Outside4 = "192.0.2.9", Outside6 = "2001:db8::9";

    private static string Router(bool v6) => v6 ? Router6 : Router4;
    private static string Outside(bool v6) => v6 ? Outside6 : Outside4;

    public static TheoryData<bool, IpProtocol, int> Quotes
    {
        get
        {
            var data = new TheoryData<bool, IpProtocol, int>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp, IpProtocol.Sctp })
                    foreach (var quote in new[] { 8, 12, 18, 20, 32, 1000 })
                        data.Add(v6, protocol, (v6 ? 40 : 20) + quote);
            return data;
        }
    }

    private static Packet Request(bool v6, IpProtocol protocol) => new()
    {
        Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol, Flags = protocol == IpProtocol.Tcp ? TcpFlags.Syn : 0,
        // the quoted checksum of SCTP is left as it is; here it is none
        NoSctpChecksum = true, Payload = [.. Enumerable.Range(0, 41).Select(i => (byte)(i * 7))],
    };

    [Theory, MemberData(nameof(Quotes))]
    public void The_client_learns_what_became_of_its_packet(bool v6, IpProtocol protocol, int quote)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Remote(v6), 8080));
        var request = Request(v6, protocol);
        var towards = request with { Dst = Address.Remote(v6), Dport = 8080 };
        SamePacket.Equal(towards, pod.Send(request).Packet);
        foreach (var kind in IcmpKind.All.Where(k => k.V6 == v6))
        {
            // a router keeps its address; the backend must not appear
            SamePacket.Equal(kind.About(request, Router(v6), quote), pod.Receive(kind.About(towards, Router(v6), quote)).Packet);
            SamePacket.Equal(kind.About(request, Address.Vip(v6), quote),
                pod.Receive(kind.About(towards, Address.Remote(v6), quote)).Packet);
        }
        Assert.Equal($"PodEgress.Service=1 PodIngress.Reply={2 * IcmpKind.All.Count(k => k.V6 == v6)}", pod.Counts());
    }

    [Theory, MemberData(nameof(Quotes))]
    public void The_backend_learns_what_became_of_its_answer(bool v6, IpProtocol protocol, int quote)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Remote(v6), 8080));
        var request = Request(v6, protocol);
        pod.Send(request);
        var answer = (request with { Dst = Address.Remote(v6), Dport = 8080 }).Answer(request.Flags);
        foreach (var kind in IcmpKind.All.Where(k => k.V6 == v6))
        {
            var sent = kind.About(request.Answer(request.Flags), Address.Client(v6), quote) with
                { SrcMac = Macs.Client, DstMac = Macs.Gateway };
            var expected = kind.About(answer, Address.Client(v6), quote) with { SrcMac = Macs.Client, DstMac = Macs.Gateway };
            var result = pod.Send(sent);
            Assert.Equal(PodPrograms.Ok, result.ReturnValue);
            SamePacket.Equal(expected, result.Packet);
        }
        Assert.Equal($"PodEgress.Service={1 + IcmpKind.All.Count(k => k.V6 == v6)}", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_backend_on_this_node_refuses_in_the_name_of_the_service(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Client(v6), 8080));
        var request = Request(v6, IpProtocol.Udp);
        pod.Send(request);
        // the pod reached itself: it sees the packet from the address that stands for itself, and answers there
        var received = request with { Src = Address.Hairpin(v6), Dst = Address.Client(v6), Dport = 8080 };
        var sent = pod.Send(IcmpKind.PortUnreachable(v6)
            .About(received, Address.Client(v6)) with { SrcMac = Macs.Client, DstMac = Macs.Gateway });
        SamePacket.Equal(IcmpKind.PortUnreachable(v6).About(request, Address.Vip(v6)) with { Ttl = 63 }, sent.Packet);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
    }

    [Theory]
    [InlineData(false, IpProtocol.Udp), InlineData(true, IpProtocol.Udp), InlineData(false, IpProtocol.Tcp),
        InlineData(true, IpProtocol.Tcp)]
    [InlineData(false, IpProtocol.Icmp), InlineData(true, IpProtocol.IcmpV6)]
    public void A_hidden_source_is_found_again(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        var echo = protocol is IpProtocol.Icmp or IpProtocol.IcmpV6;
        var inside = new Packet { Src = Address.Client(v6), Dst = Outside(v6), Protocol = protocol, Sport = 1000, Dport = 53,
            IcmpType = v6 ? (byte)128 : (byte)8, IcmpRest = 1000u << 16 | 1 };
        var outside = inside with { Src = v6 ? "fd00:a::1" : "10.100.0.1", Sport = 40001, IcmpRest = 40001u << 16 | 1 };
        Translate(pod, inside, outside, echo);
        foreach (var kind in IcmpKind.All.Where(k => k.V6 == v6))
            foreach (var from in new[] { Router(v6), Outside(v6) })
                SamePacket.Equal(kind.About(inside, from), pod.Receive(kind.About(outside, from)).Packet);
        // and the other way: what the pod says about an answer
        var (echoReply, id) = (v6 ? (byte)129 : (byte)0, 1000u << 16 | 1);
        var answer = inside.Answer(0) with { IcmpType = echoReply, IcmpRest = id };
        var answerOutside = outside.Answer(0) with { IcmpType = echoReply, IcmpRest = 40001u << 16 | 1 };
        var refusal = IcmpKind.PortUnreachable(v6);
        SamePacket.Equal(
            refusal.About(answerOutside, outside.Src) with { SrcMac = Macs.Client, DstMac = Macs.Gateway },
            pod.Send(refusal.About(answer, Address.Client(v6)) with { SrcMac = Macs.Client, DstMac = Macs.Gateway }).Packet);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void An_error_from_the_network_finds_the_pod_that_was_hidden(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        var inside = new Packet { Src = Address.Client(v6), Dst = Outside(v6), Protocol = IpProtocol.Udp, Sport = 1000, Dport = 53 };
        var outside = inside with { Src = v6 ? "fd00:a::1" : "10.100.0.1", Sport = 40001 };
        Translate(pod, inside, outside, echo: false);
        foreach (var kind in IcmpKind.All.Where(k => k.V6 == v6))
        {
            var result = pod.Arrive(kind.About(outside, Router(v6)));
            Assert.Equal(PodPrograms.Redirect, result.ReturnValue);
            SamePacket.Equal(kind.About(inside, Router(v6)) with { Ttl = 63 }, result.Packet);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void An_error_from_a_backend_elsewhere_finds_the_client_of_a_node_port(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        var node = v6 ? "fd00:a::1" : "10.100.0.1";
        for (var ifindex = 0; ifindex < 20; ifindex++)
            pod.SetUplink(ifindex, node, node);
        pod.AddService(Address.At(node, 30080), IpProtocol.Udp, Address.At(Address.Remote(v6), 8080));
        var request = new Packet { Src = Outside(v6), Dst = node, Protocol = IpProtocol.Udp, Sport = 1000, Dport = 30080,
            SrcMac = Macs.Gateway, DstMac = default };
        pod.Arrive(request);
        var entry = pod.Conntrack.ReadAll<CtKey, Ct>().Single(e => !e.Value.Flags.HasFlag(CtFlags.Reply)).Value;
        var towards = request with { Src = entry.Src.ToString(), Dst = entry.Dst.ToString(), Sport = entry.Sport.Host,
            Dport = entry.Dport.Host };
        Assert.Equal((Address.Remote(v6), 8080), (towards.Dst, towards.Dport));
        foreach (var kind in IcmpKind.All.Where(k => k.V6 == v6))
            foreach (var (from, seen) in new[] { (Router(v6), Router(v6)), (Address.Remote(v6), node) })
            {
                var result = pod.Arrive(kind.About(towards, from));
                // whether this machine has a route to the client is its own affair
                var left = result.ReturnValue == PodPrograms.Redirect;
                SamePacket.Equal(kind.About(request, seen) with { DstMac = default, Ttl = left ? (byte)63 : (byte)64 }, result.Packet);
            }
    }

    public static TheoryData<int> Headers => new(Enumerable.Range(0, 6));

    [Theory, MemberData(nameof(Headers))]
    public void Options_and_extension_headers_may_surround_what_is_quoted_and_the_error(int count)
    {
        using var pod = new PodPrograms().WithPods();
        foreach (var v6 in new[] { false, true })
        {
            pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Remote(v6), 8080));
            var request = Request(v6, IpProtocol.Udp) with
            {
                Options = [.. Enumerable.Repeat((byte)1, v6 ? 0 : 4 * count)],
                Extensions = [.. Enumerable.Range(0, v6 ? count : 0)
                    .Select(i => new Extension(i % 2 == 0 ? (byte)60 : (byte)51, new byte[i % 2 == 0 ? 14 : 10]))],
            };
            var towards = request with { Dst = Address.Remote(v6), Dport = 8080 };
            SamePacket.Equal(towards, pod.Send(request).Packet);
            var surrounded = IcmpKind.PortUnreachable(v6)
                .About(towards, Router(v6)) with { Options = request.Options, Extensions = request.Extensions };
            // so many headers are nobody's: what is quoted behind more than four is left alone
            var expected = v6 && count > 4 ? surrounded : IcmpKind.PortUnreachable(v6)
                .About(request, Router(v6)) with { Options = request.Options, Extensions = request.Extensions };
            SamePacket.Equal(expected, pod.Receive(surrounded).Packet);
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_request_whose_hops_end_is_answered_and_an_error_is_not(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Server(v6), 8080),
            Address.At(Address.Server(v6), 8081));
        var request = Request(v6, IpProtocol.Udp);
        var answer = pod.Send(request with { Ttl = 1 });
        Assert.Equal(PodPrograms.Redirect, answer.ReturnValue);
        var about = IcmpKind.All.Single(k => k.V6 == v6 && k.Type == (v6 ? 3 : 11)).About(request with { Ttl = 1 }, Address.Vip(v6));
        var quoted = about.Payload[..(about.Payload.Length & ~3)];
        SamePacket.Equal(about with { Id = 0, Payload = quoted }, answer.Packet);
        Assert.Equal(1UL, pod.Count(Reason.HopLimit));

        var refusal = IcmpKind.PortUnreachable(v6)
            .About(request.Answer(0), Address.Client(v6)) with { SrcMac = Macs.Client, DstMac = Macs.Gateway, Ttl = 1 };
        Assert.Equal(PodPrograms.Shot, pod.Send(refusal).ReturnValue);
        Assert.Equal(2UL, pod.Count(Reason.HopLimit));
        Assert.Equal(PodPrograms.Redirect, pod.Send(refusal with { Ttl = 64 }).ReturnValue);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void What_is_not_about_a_known_connection_is_left_alone(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Remote(v6), 8080));
        var request = Request(v6, IpProtocol.Udp);
        var towards = request with { Dst = Address.Remote(v6), Dport = 8080 };
        pod.Send(request);
        var kind = IcmpKind.PortUnreachable(v6);
        var (header, router) = (v6 ? 40 : 20, Router(v6));
        var good = kind.About(towards, router);
        var echoed = v6 ? (byte)129 : (byte)0;
        Packet[] foreign =
        [
            kind.About(towards with { Sport = 1 }, router),
            kind.About(towards with { Dport = 1 }, router),
            kind.About(towards with { Protocol = IpProtocol.Tcp }, router),
            kind.About(request, router), // quoted as it never left
            good with { Dst = Address.Server(v6) }, // not to the sender of what it quotes
            good with { IcmpType = echoed }, // no error
            good with { IcmpType = v6 ? (byte)137 : (byte)5 }, // a redirect
            kind.About(towards, router, header + 7), // ports without the rest
            kind.About(towards, router, header),
            kind.About(towards, router, 3),
            kind.About(towards, router, 0),
            kind.About(towards, router, header + 4) with { Padding = 30 }, // the rest of it is not the packet's
            kind.About(towards with { Piece = new Piece(8, 16, false, 3) }, router), // a later fragment has no ports
            kind.About(towards with { Payload = new byte[80], Piece = new Piece(16, 80, true, 3) }, router),
            kind.About(good, router), // an error about an error is none
        ];
        foreach (var packet in foreign)
            SamePacket.Equal(packet, pod.Receive(packet).Packet);
        Assert.Equal(0UL, pod.Count(Reason.Reply, Hook.PodIngress));
        // the control
        SamePacket.Equal(kind.About(request, router), pod.Receive(good).Packet);
        Assert.Equal(1UL, pod.Count(Reason.Reply, Hook.PodIngress));
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Inventing_an_error_gives_nobody_another_address(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Remote(v6), 8080));
        pod.Send(Request(v6, IpProtocol.Udp));
        var kind = IcmpKind.PortUnreachable(v6);
        var towards = Request(v6, IpProtocol.Udp) with { Dst = Address.Remote(v6), Dport = 8080 };
        // the pod itself pretends to be somebody on the way of its own packets, or their receiver
        var own = kind.About(towards, Address.Client(v6)) with { SrcMac = Macs.Client, DstMac = Macs.Gateway };
        var sent = pod.Send(own);
        Assert.Equal(Addr.Parse(Address.Client(v6)), SourceOf(sent.Packet, v6));
        Assert.Equal(PodPrograms.Shot, pod.Send(own with { Src = Address.Remote(v6) }).ReturnValue);
        // an entry is not kept alive by errors, and not changed
        foreach (var (_, entry) in pod.Conntrack.ReadAll<CtKey, Ct>())
            Assert.Equal((CtState.Udp, CtFlags.None), (entry.State, entry.Flags & CtFlags.SeenReply));
    }

    /// <summary>It would reach a client outside that has asked another pod, from a pod's own address.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void A_pod_says_nothing_outside_about_another_pods_connection(bool v6)
    {
        var (own, outside, pods) = v6 ? ("2001:db8::77", "2001:db8:9::9", "fd00:1::/64") : ("192.0.2.77", "198.51.100.9", "10.1.0.0/16");
        using var node = new PodPrograms(PodPrograms.Usual | ConfigFlags.Masquerade).WithPods();
        node.SetUplink(0, "192.0.2.77", "2001:db8::77");
        node.AddCluster(own + (v6 ? "/128" : "/32"), IpcacheFlags.Node | IpcacheFlags.Local);
        node.AddCluster(pods, IpcacheFlags.Pod | IpcacheFlags.Local);
        node.SetService(
            PodPrograms.Key(Address.At(own, 30080), IpProtocol.Udp, Scope.External), SvcFlags.None,
            Address.At(Address.Server(v6), 8080));
        var request = new Packet { Src = outside, Dst = own, Dport = 30080, Protocol = IpProtocol.Udp };
        var arrived = node.Arrive(request);
        Assert.Equal(PodPrograms.Redirect, arrived.ReturnValue);
        var delivered = request with { Src = own, Sport = Frame.Sport(arrived.Packet), Dst = Address.Server(v6), Dport = 8080 };
        var kind = IcmpKind.PortUnreachable(v6);
        var foreign = kind.About(delivered, Address.Client(v6)) with { SrcMac = Macs.Client, DstMac = Macs.Gateway };
        Assert.Equal(PodPrograms.Shot, node.Send(foreign).ReturnValue);
        Assert.Equal(1UL, node.Count(Reason.Untracked));
    }

    private static Addr SourceOf(byte[] packet, bool v6) => Addr.From(new System.Net.IPAddress(packet.AsSpan(v6 ? 22 : 26, v6 ? 16 : 4)));

    /// <summary>Writes the two entries of a connection whose source is hidden.</summary>
    private static void Translate(PodPrograms pod, Packet inside, Packet outside, bool echo)
    {
        var now = (ulong)System.Diagnostics.Stopwatch.GetTimestamp();
        U16Be Port(int port) => U16Be.FromHost((ushort)port);
        var (to, back) = (echo ? 0 : inside.Dport, echo ? 0 : outside.Dport);
        var entry = new Ct { Flags = CtFlags.Masquerade, State = echo ? CtState.Icmp : CtState.Udp, CreatedNs = now, LastSeenNs = now };
        pod.Conntrack.Update(
            new CtKey(Addr.Parse(inside.Src), Addr.Parse(inside.Dst), Port(inside.Sport), Port(to), inside.Protocol),
            entry with { Src = Addr.Parse(outside.Src), Dst = Addr.Parse(outside.Dst), Sport = Port(outside.Sport), Dport = Port(back) });
        pod.Conntrack.Update(
            new CtKey(Addr.Parse(outside.Dst), Addr.Parse(outside.Src), Port(back), Port(outside.Sport), inside.Protocol),
            entry with { Flags = CtFlags.Masquerade | CtFlags.Reply, Src = Addr.Parse(inside.Dst), Dst = Addr.Parse(inside.Src),
                Sport = Port(to), Dport = Port(inside.Sport) });
    }
}
