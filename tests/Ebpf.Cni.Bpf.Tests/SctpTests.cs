using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>SCTP through services: a checksum over the whole packet, corrected from its ends.</summary>
public sealed class SctpTests
{
    private static Packet Request(bool v6) =>
        new() { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Sctp, Sport = 4711, Dport = 80 };

    [Fact]
    public void The_reference_is_the_checksum_of_the_standard() => Assert.Equal(0xe3069283, Crc32C.Of("123456789"u8));

    [Theory, InlineData(false), InlineData(true)]
    public void Any_length_and_any_ports_leave_a_correct_checksum(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        var random = new Random(Seed.Next());
        for (var i = 0; i < 2000; i++)
        {
            var port = (ushort)random.Next(1, 65536);
            // a test run takes one page
            var payload = new byte[random.Next(4) == 0 ? random.Next(16) : random.Next(3000)];
            random.NextBytes(payload);
            pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Sctp, Address.At(Address.Remote(v6), port));
            var request = Request(v6) with
            {
                Sport = (ushort)(1000 + i), Payload = payload, Padding = random.Next(3) == 0 ? random.Next(20) : 0,
                Extensions = v6 && random.Next(3) == 0 ? [new Extension(60, new byte[6])] : [],
                Options = v6 || random.Next(3) > 0 ? [] : [1, 1, 1, 1],
            };
            var towards = request with { Dst = Address.Remote(v6), Dport = port };
            SamePacket.Equal(towards, pod.Send(request).Packet);
            var answer = towards.Answer(0) with { Chunk = SctpChunk.InitAck };
            SamePacket.Equal(request.Answer(0) with { Chunk = SctpChunk.InitAck }, pod.Receive(answer).Packet);
        }
        Assert.Equal("PodEgress.Service=2000 PodIngress.Reply=2000", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_checksum_left_to_the_device_stays_unset(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Sctp, Address.At(Address.Remote(v6), 8080));
        var request = Request(v6) with { NoSctpChecksum = true };
        SamePacket.Equal(request with { Dst = Address.Remote(v6), Dport = 8080 }, pod.Send(request).Packet);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_wrong_checksum_stays_wrong(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Sctp, Address.At(Address.Remote(v6), 8080));
        var damaged = Request(v6).Bytes();
        damaged[^1] ^= 1;
        var expected = (Request(v6) with { Dst = Address.Remote(v6), Dport = 8080 }).Bytes();
        expected[^1] ^= 1;
        Assert.Equal(expected, pod.Send(damaged).Packet);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Fragments_pass_where_ports_stay_and_are_dropped_where_they_do_not(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        var whole = Request(v6) with { Payload = new byte[2000] };
        Packet[] Pieces(Packet p) => [p with { Piece = new Piece(0, 1400, true, 7) }, p with { Piece = new Piece(1400, 1400, false, 7) }];
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Sctp, Address.At(Address.Remote(v6), 80));
        foreach (var (expected, sent) in Pieces(whole with { Dst = Address.Remote(v6) }).Zip(Pieces(whole)))
            SamePacket.Equal(expected, pod.Send(sent).Packet);

        pod.AddService(Address.At(Address.Vip(v6), 81), IpProtocol.Sctp, Address.At(Address.Remote(v6), 8080));
        Assert.Equal(PodPrograms.Shot, pod.Send(Pieces(whole with { Dport = 81 })[0]).ReturnValue);
        Assert.Equal(1UL, pod.Count(Reason.Rewrite));
    }

    [Fact]
    public void A_header_without_a_chunk_is_malformed()
    {
        using var pod = new PodPrograms().WithPods();
        Assert.Equal(PodPrograms.Shot, pod.Send(Request(false) with { Piece = new Piece(0, 8, true, 1) }).ReturnValue);
        Assert.Equal("PodEgress.Malformed=1", pod.Counts());
    }

    [Fact]
    public void The_state_follows_the_chunks()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Sctp, Address.At(Address.Remote4, 8080));
        var request = Request(false);
        var answer = (request with { Dst = Address.Remote4, Dport = 8080 }).Answer(0);
        foreach (var (fromClient, chunk, state) in new[]
        {
            (true, SctpChunk.Init, CtState.SctpOpening),
            (false, SctpChunk.InitAck, CtState.SctpOpening),
            (true, SctpChunk.CookieEcho, CtState.SctpOpening),
            (false, SctpChunk.CookieAck, CtState.SctpEstablished),
            (true, SctpChunk.Data, CtState.SctpEstablished),
            (true, SctpChunk.Init, CtState.SctpEstablished), // repeated, or a restart
            (false, SctpChunk.Shutdown, CtState.SctpClosing),
            (true, SctpChunk.Data, CtState.SctpClosing),
            (true, SctpChunk.ShutdownAck, CtState.SctpClosing),
            (false, SctpChunk.ShutdownComplete, CtState.SctpClosing),
            (true, SctpChunk.Init, CtState.SctpOpening), // the port is used again
            (false, SctpChunk.Abort, CtState.SctpClosing),
        })
        {
            _ = fromClient ? pod.Send(request with { Chunk = chunk }) : pod.Receive(answer with { Chunk = chunk });
            foreach (var (_, entry) in pod.Conntrack.ReadAll<CtKey, Ct>())
                Assert.True(entry.State == state, $"after {chunk}: {entry.State}, not {state}");
        }
    }

    [Fact]
    public void An_association_keeps_its_backend_and_an_unanswered_one_moves()
    {
        using var pod = new PodPrograms().WithPods();
        var service = pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Sctp, "10.2.1.1:8080");
        var request = Request(false);
        Packet Towards(int n, SctpChunk chunk) => request with { Dst = $"10.2.1.{n}", Dport = 8080, Chunk = chunk };

        pod.Send(request);
        pod.SetService(service, SvcFlags.None, "10.2.1.2:8080");
        SamePacket.Equal(Towards(2, SctpChunk.Init), pod.Send(request).Packet);
        pod.Receive(Towards(2, SctpChunk.InitAck).Answer(0));
        pod.SetService(service, SvcFlags.None, "10.2.1.3:8080");
        foreach (var chunk in new[] { SctpChunk.CookieEcho, SctpChunk.Data, SctpChunk.Shutdown })
            SamePacket.Equal(Towards(2, chunk), pod.Send(request with { Chunk = chunk }).Packet);
        SamePacket.Equal(Towards(3, SctpChunk.Init), pod.Send(request).Packet);
    }
}
