using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What a hostile pod may send.</summary>
public sealed class MalformedTests
{
    [Theory, InlineData(false, IpProtocol.Tcp), InlineData(true, IpProtocol.Tcp), InlineData(false, IpProtocol.Udp),
        InlineData(true, IpProtocol.Udp)]
    public void Every_truncation_is_dropped_and_counted(bool v6, IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        var whole = new Packet { Src = Address.Client(v6), Dst = Address.Server(v6), Protocol = protocol, Payload = [] }.Bytes();
        // the kernel makes no test packet without a whole IP header
        var shortest = ShortestFrame(v6);
        for (var length = shortest; length < whole.Length; length++)
            Assert.True(PodPrograms.Shot == pod.Send(whole[..length]).ReturnValue, $"{length} of {whole.Length} bytes passed");
        Assert.Equal($"PodEgress.Malformed={whole.Length - shortest}", pod.Counts());
        Assert.Equal(PodPrograms.Redirect, pod.Send(whole).ReturnValue);
    }

    [Theory]
    [InlineData(14, 0x44)] // a header of 16 bytes
    [InlineData(14, 0x65)] // version 6 in an IPv4 frame
    [InlineData(16, 0xff)] // longer than the frame
    [InlineData(46, 0x40)] // a TCP header of 16 bytes
    public void A_contradiction_in_the_headers_is_dropped(int at, byte value)
    {
        using var pod = new PodPrograms().WithPods();
        var bytes = new Packet { Src = Address.Client4, Dst = Address.Server4 }.Bytes();
        bytes[at] = value;
        Assert.Equal(PodPrograms.Shot, pod.Send(bytes).ReturnValue);
        Assert.Equal("PodEgress.Malformed=1", pod.Counts());
    }

    [Theory]
    [InlineData(false, IpProtocol.Tcp, 20), InlineData(true, IpProtocol.Tcp, 20), InlineData(false, IpProtocol.Udp, 8),
        InlineData(true, IpProtocol.Udp, 8)]
    [InlineData(false, IpProtocol.Sctp, 13), InlineData(true, IpProtocol.Sctp, 13)]
    public void Padding_is_no_transport_header(bool v6, IpProtocol protocol, int header)
    {
        using var pod = new PodPrograms().WithPods();
        var frame = new Packet { Src = Address.Client(v6), Dst = Address.Server(v6), Protocol = protocol, Payload = new byte[40] }.Bytes();
        for (var length = header - 1; length >= 0; length--)
        {
            // the IP packet ends within the header, the frame goes on
            frame[v6 ? 19 : 17] = (byte)(v6 ? length : 20 + length);
            Assert.True(PodPrograms.Shot == pod.Send(frame).ReturnValue, $"{length} bytes passed for a header");
        }
        Assert.Equal($"PodEgress.Malformed={header}", pod.Counts());
        frame[v6 ? 19 : 17] = (byte)(v6 ? header : 20 + header);
        Assert.Equal(PodPrograms.Redirect, pod.Send(frame).ReturnValue);
    }

    [Fact]
    public void Too_many_extension_headers_and_source_routes_are_dropped()
    {
        using var pod = new PodPrograms().WithPods();
        var packet = new Packet { Src = Address.Client6, Dst = Address.Server6 };
        var options = new Extension(60, new byte[6]);
        Assert.Equal(PodPrograms.Redirect, pod.Send(packet with { Extensions = [.. Enumerable.Repeat(options, 8)] }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(packet with { Extensions = [.. Enumerable.Repeat(options, 9)] }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(packet with { Extensions = [new Extension(43, [0, 1, 0, 0, 0, 0])] }).ReturnValue);
        Assert.Equal("PodEgress.Delivered=1 PodEgress.Malformed=2", pod.Counts());
    }

    [Fact]
    public void Random_damage_is_judged_once_and_never_passes_as_another_sender()
    {
        using var pod = new PodPrograms().WithPods();
        foreach (var v6 in new[] { false, true })
            foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
                pod.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Remote(v6), 8080));
        var random = new Random(Seed.Next());
        const int Rounds = 20000;
        for (var i = 0; i < Rounds; i++)
        {
            var v6 = random.Next(2) == 0;
            var bytes = new Packet
            {
                Src = Address.Client(v6), Dst = random.Next(2) == 0 ? Address.Vip(v6) : Address.Server(v6),
                    Protocol = random.Next(2) == 0 ? IpProtocol.Tcp : IpProtocol.Udp,
                Extensions = v6 && random.Next(3) == 0 ? [new Extension(0, new byte[6])] : [],
                Payload = new byte[32],
            }.Bytes();
            for (var damage = random.Next(4); damage > 0; damage--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            if (random.Next(4) == 0)
                bytes = bytes[..random.Next(Math.Min(bytes.Length, ShortestFrame(v6: true)), bytes.Length)];
            var result = pod.Send(bytes);
            Assert.Contains(result.ReturnValue, new[] { PodPrograms.Ok, PodPrograms.Shot, PodPrograms.Redirect });
            var forged = !bytes.AsSpan(6, 6).SequenceEqual(Macs.Client.ToBytes());
            Assert.False(forged && result.ReturnValue != PodPrograms.Shot && bytes[12] == 8 && bytes[13] == 0,
                "a forged MAC address passed");
        }
        var counted = Enum.GetValues<Reason>().Aggregate(0UL, (sum, reason) => sum + pod.Count(reason));
        Assert.Equal((ulong)Rounds, counted);
    }

    private static int ShortestFrame(bool v6) => 14 + (v6 ? 40 : 20);
}
