using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A service without backends answers at once.</summary>
public sealed class RejectTests
{
    private const int Quote = 96;

    public static TheoryData<bool, IpProtocol, int> Kinds
    {
        get
        {
            var data = new TheoryData<bool, IpProtocol, int>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
                    foreach (var payload in new[] { 0, 1, 5, 64, 1400 })
                        data.Add(v6, protocol, payload);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void The_sender_gets_a_port_unreachable(bool v6, IpProtocol protocol, int payload)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), protocol);
        var request = new Packet
        {
            Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = protocol,
            Payload = [.. Enumerable.Range(0, payload).Select(i => (byte)i)],
        };
        var sent = pod.Send(request);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        var quoted = request.Bytes()[14..];
        SamePacket.Equal(
            new Packet
            {
                SrcMac = Macs.Gateway, DstMac = Macs.Client, Src = request.Dst, Dst = request.Src, Id = 0, Ttl = 64,
                Protocol = v6 ? IpProtocol.IcmpV6 : IpProtocol.Icmp, IcmpType = v6 ? (byte)1 : (byte)3, IcmpCode = v6 ? (byte)4 : (byte)3,
                Payload = quoted[..(Math.Min(quoted.Length, Quote) & ~3)],
            },
            sent.Packet);
        Assert.Equal("PodEgress.NoBackend=1", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Where_only_this_node_has_none_the_packet_is_lost_in_silence(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.SetService(PodPrograms.Key(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp), SvcFlags.DropEmpty);
        Assert.Equal(PodPrograms.Shot, pod.Send(new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6) }).ReturnValue);
        Assert.Equal("PodEgress.NoLocalBackend=1", pod.Counts());
    }

    [Fact]
    public void A_reset_is_dropped_without_an_answer()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp);
        Assert.Equal(PodPrograms.Shot,
            pod.Send(new Packet { Src = Address.Client4, Dst = Address.Vip4, Flags = TcpFlags.Rst }).ReturnValue);
        Assert.Equal("PodEgress.NoConnection=1", pod.Counts());
    }

    [Fact]
    public void A_forger_gets_no_answer()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp);
        Assert.Equal(PodPrograms.Shot, pod.Send(new Packet { Src = Address.Server4, Dst = Address.Vip4 }).ReturnValue);
        Assert.Equal("PodEgress.SourceAddress=1", pod.Counts());
    }
}
