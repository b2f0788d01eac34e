using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A datagram in pieces.</summary>
public sealed class FragmentTests
{
    private static Packet Datagram(bool v6) => new()
    {
        Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Udp,
            Payload = [.. Enumerable.Range(0, 3000).Select(i => (byte)i)],
    };

    private static Packet[] Pieces(Packet datagram) =>
    [
        datagram with { Piece = new Piece(0, 1400, true, 0xbeef) },
        datagram with { Piece = new Piece(1400, 1400, true, 0xbeef) },
        datagram with { Piece = new Piece(2800, 1400, false, 0xbeef) },
    ];

    [Theory, InlineData(false), InlineData(true)]
    public void All_pieces_go_to_the_same_backend_and_back(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp,
            [.. Enumerable.Range(8000, 30).Select(p => Address.At(Address.Remote(v6), p))]);
        var sent = Pieces(Datagram(v6)).Select(pod.Send).ToList();
        var port = (ushort)(sent[0].Packet[v6 ? 64 : 36] << 8 | sent[0].Packet[v6 ? 65 : 37]);
        var translated = Datagram(v6) with { Dst = Address.Remote(v6), Dport = port };
        foreach (var (expected, actual) in Pieces(translated).Zip(sent))
            SamePacket.Equal(expected, actual.Packet);

        foreach (var (expected, answer) in Pieces(Datagram(v6).Answer(0)).Zip(Pieces(translated.Answer(0))))
            SamePacket.Equal(expected, pod.Receive(answer).Packet);
        Assert.Equal("PodEgress.Service=3 PodIngress.Reply=3", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_later_piece_without_a_first_one_does_not_leave_the_node(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Remote(v6), 8080));
        Assert.Equal(PodPrograms.Shot, pod.Send(Pieces(Datagram(v6))[1]).ReturnValue);
        Assert.Equal("PodEgress.Fragment=1", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Pieces_between_pods_are_delivered_in_any_order(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        foreach (var piece in Pieces(Datagram(v6) with { Dst = Address.Server(v6) }).Reverse())
        {
            var sent = pod.Send(piece);
            Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
            SamePacket.Equal(piece with { Ttl = 63, SrcMac = Macs.ServerGateway, DstMac = Macs.Server }, sent.Packet);
        }
        Assert.Equal("PodEgress.Delivered=3", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Pieces_to_a_service_without_backends_are_refused_once(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp);
        Assert.Equal([PodPrograms.Redirect, PodPrograms.Shot, PodPrograms.Shot], Pieces(Datagram(v6)).Select(p => pod.Send(p).ReturnValue));
        Assert.Equal("PodEgress.NoBackend=3", pod.Counts());
    }

    [Fact]
    public void A_first_piece_that_hides_the_TCP_header_is_malformed()
    {
        using var pod = new PodPrograms().WithPods();
        var tiny = new Packet { Src = Address.Client4, Dst = Address.Server4, Piece = new Piece(0, 8, true, 1) };
        Assert.Equal(PodPrograms.Shot, pod.Send(tiny).ReturnValue);
        Assert.Equal("PodEgress.Malformed=1", pod.Counts());
    }
}
