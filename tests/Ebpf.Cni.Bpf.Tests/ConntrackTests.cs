using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What is decided for a connection stays decided, and for how long.</summary>
public sealed class ConntrackTests
{
    private static readonly string[] Many = [.. Enumerable.Range(1, 40).Select(i => $"10.2.1.{i}:8080")];

    private static string BackendOf(byte[] packet) => new IPAddress(packet.AsSpan(30, 4)).ToString();

    private static Packet Request(ushort sport, TcpFlags flags = TcpFlags.Syn, IpProtocol protocol = IpProtocol.Tcp) =>
        new() { Src = Address.Client4, Dst = Address.Vip4, Sport = sport, Flags = flags, Protocol = protocol };

    private static Packet AnswerFrom(string backend, ushort port, TcpFlags flags, IpProtocol protocol = IpProtocol.Tcp) =>
        new() { Src = backend, Dst = Address.Client4, Sport = 8080, Dport = port, Flags = flags, Protocol = protocol };

    /// <summary>Opens a connection completely; returns its backend.</summary>
    private static string Open(PodPrograms pod, ushort port)
    {
        var backend = BackendOf(pod.Send(Request(port)).Packet);
        pod.Receive(AnswerFrom(backend, port, TcpFlags.SynAck));
        Assert.Equal(backend, BackendOf(pod.Send(Request(port, TcpFlags.Ack)).Packet));
        return backend;
    }

    [Fact]
    public void A_connection_keeps_its_backend_when_the_set_is_switched_or_the_service_deleted()
    {
        using var pod = new PodPrograms().WithPods();
        var service = pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..2]);
        var backend = Open(pod, 1000);

        pod.SetService(service, SvcFlags.None, Many[2..4]);
        Assert.Equal(backend, BackendOf(pod.Send(Request(1000, TcpFlags.Data)).Packet));
        Assert.Contains(BackendOf(pod.Send(Request(1001)).Packet), new[] { "10.2.1.3", "10.2.1.4" });

        pod.SetService(service, SvcFlags.None);
        Assert.Equal(backend, BackendOf(pod.Send(Request(1000, TcpFlags.Data)).Packet));

        pod.Services.Delete(service);
        Assert.Equal(backend, BackendOf(pod.Send(Request(1000, TcpFlags.Data)).Packet));
        Assert.Equal(Address.Vip4, BackendOf(pod.Send(Request(1002)).Packet));
        SamePacket.Equal(Request(1000).Answer(TcpFlags.Data), pod.Receive(AnswerFrom(backend, 1000, TcpFlags.Data)).Packet);
    }

    [Fact]
    public void A_direct_connection_from_the_port_of_a_finished_one_hears_its_own_answers()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        var backend = Open(pod, 1000);
        var direct = Request(1000) with { Dst = backend, Dport = 8080 };
        var answer = AnswerFrom(backend, 1000, TcpFlags.SynAck);

        pod.Send(Request(1000, TcpFlags.Rst));
        SamePacket.Equal(direct, pod.Send(direct).Packet);
        SamePacket.Equal(answer, pod.Receive(answer).Packet);
        // and the port serves a connection through the service again
        Assert.Equal(backend, BackendOf(pod.Send(Request(1000)).Packet));
        SamePacket.Equal(Request(1000).Answer(TcpFlags.SynAck), pod.Receive(answer).Packet);
    }

    [Fact]
    public void A_direct_connection_from_the_port_of_a_living_one_gets_another_port()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        var backend = Open(pod, 1000);
        var direct = Request(1000) with { Dst = backend, Dport = 8080 };

        var sent = pod.Send(direct).Packet;
        var port = SportOf(sent);
        Assert.InRange(port, 32768, 65535);
        SamePacket.Equal(direct with { Sport = port }, sent);
        // each hears its own answers
        SamePacket.Equal(direct.Answer(TcpFlags.SynAck), pod.Receive(AnswerFrom(backend, port, TcpFlags.SynAck)).Packet);
        SamePacket.Equal(Request(1000).Answer(TcpFlags.Data), pod.Receive(AnswerFrom(backend, 1000, TcpFlags.Data)).Packet);
        SamePacket.Equal(direct with { Sport = port, Flags = TcpFlags.Data }, pod.Send(direct with { Flags = TcpFlags.Data }).Packet);
    }

    [Fact]
    public void A_repeated_SYN_meets_the_same_backend()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many);
        var backend = BackendOf(pod.Send(Request(1000)).Packet);
        for (var i = 0; i < 50; i++)
            Assert.Equal(backend, BackendOf(pod.Send(Request(1000)).Packet));
    }

    [Fact]
    public void A_handshake_to_a_backend_that_left_is_tried_elsewhere()
    {
        using var pod = new PodPrograms().WithPods();
        var service = pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        pod.Send(Request(1000));
        pod.SetService(service, SvcFlags.None, Many[1..2]);
        Assert.Equal("10.2.1.2", BackendOf(pod.Send(Request(1000)).Packet));
    }

    /// <summary>Late, or forged: whoever sends it, an open connection is never moved.</summary>
    [Fact]
    public void A_SYN_on_an_open_connection_changes_nothing()
    {
        using var pod = new PodPrograms().WithPods();
        var service = pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        Open(pod, 1000);
        var before = Entry(pod, Request(1000));
        pod.SetService(service, SvcFlags.None, Many[1..2]);
        Assert.Equal("10.2.1.1", BackendOf(pod.Send(Request(1000)).Packet));
        pod.Services.Delete(service);
        Assert.Equal("10.2.1.1", BackendOf(pod.Send(Request(1000)).Packet));
        var after = Entry(pod, Request(1000));
        Assert.Equal((before.State, before.Dst, before.CreatedNs), (after.State, after.Dst, after.CreatedNs));
        // the control: one that was never answered is
        pod.SetService(service, SvcFlags.None, Many[1..2]);
        pod.Send(Request(1001));
        pod.SetService(service, SvcFlags.None, Many[2..3]);
        Assert.Equal("10.2.1.3", BackendOf(pod.Send(Request(1001)).Packet));
    }

    [Fact]
    public void Datagrams_stay_with_a_backend_that_serves_and_leave_one_that_does_not()
    {
        using var pod = new PodPrograms().WithPods();
        var service = pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Udp, Many[..3]);
        var request = Request(1000, protocol: IpProtocol.Udp);
        var backend = BackendOf(pod.Send(request).Packet);
        for (var i = 0; i < 20; i++)
            Assert.Equal(backend, BackendOf(pod.Send(request).Packet));

        // others come and go around it
        for (var i = 0; i < 10; i++)
        {
            pod.SetService(service, SvcFlags.None, [.. Many[(10 + i)..(13 + i)], $"{backend}:8080", .. Many[(20 + i)..(22 + i)]]);
            Assert.Equal(backend, BackendOf(pod.Send(request).Packet));
        }
        pod.SetService(service, SvcFlags.None, Many[30..33]);
        Assert.Contains(BackendOf(pod.Send(request).Packet), new[] { "10.2.1.31", "10.2.1.32", "10.2.1.33" });

        pod.Services.Delete(service);
        Assert.Equal(Address.Vip4, BackendOf(pod.Send(request).Packet));
    }

    [Theory]
    [InlineData(IpProtocol.Udp, CtState.Udp, 30)]
    [InlineData(IpProtocol.Udp, CtState.UdpStream, 120)]
    [InlineData(IpProtocol.Tcp, CtState.SynSent, 120)]
    [InlineData(IpProtocol.Tcp, CtState.SynRecv, 60)]
    [InlineData(IpProtocol.Tcp, CtState.FinWait, 120)]
    [InlineData(IpProtocol.Tcp, CtState.LastAck, 30)]
    [InlineData(IpProtocol.Tcp, CtState.TimeWait, 120)]
    [InlineData(IpProtocol.Tcp, CtState.Close, 10)]
    public void An_entry_dies_after_its_silence(IpProtocol protocol, CtState state, int seconds)
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), protocol, Many[..1]);
        var request = Request(1000, protocol: protocol);
        var answer = AnswerFrom("10.2.1.1", 1000, TcpFlags.SynAck, protocol);
        foreach (var (silence, alive) in new[] { (seconds - 3, true), (seconds + 3, false) })
        {
            pod.Send(request);
            foreach (var (key, entry) in pod.Conntrack.ReadAll<CtKey, Ct>())
                pod.Conntrack.Update(key, entry with { State = state, LastSeenNs = entry.CreatedNs - ((ulong)silence * 1_000_000_000) });
            var received = pod.Receive(answer).Packet;
            SamePacket.Equal(alive ? request.Answer(TcpFlags.SynAck) : answer, received);
            foreach (var (key, _) in pod.Conntrack.ReadAll<CtKey, Ct>())
                pod.Conntrack.Delete(key);
        }
    }

    [Fact]
    public void An_open_connection_lives_for_hours()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        Open(pod, 1000);
        foreach (var (key, entry) in pod.Conntrack.ReadAll<CtKey, Ct>())
            pod.Conntrack.Update(key, entry with { LastSeenNs = 1 }); // when the machine started
        SamePacket.Equal(Request(1000).Answer(TcpFlags.Data), pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.Data)).Packet);
    }

    [Fact]
    public void State_and_traffic_are_written_down()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        var request = Request(1000);
        var size = (ulong)request.Bytes().Length;
        pod.Send(request);
        Assert.Equal((CtFlags.Service, CtState.SynSent), Known());
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.SynAck));
        Assert.Equal((CtFlags.Service | CtFlags.SeenReply, CtState.SynRecv), Known());
        pod.Send(request with { Flags = TcpFlags.Ack });
        Assert.Equal((CtFlags.Service | CtFlags.SeenReply, CtState.Established), Known());
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.FinAck));
        Assert.Equal((CtFlags.Service | CtFlags.SeenReply | CtFlags.FinReply, CtState.FinWait), Known());
        pod.Send(request with { Flags = TcpFlags.FinAck });
        Assert.Equal(CtFlags.Service | CtFlags.SeenReply | CtFlags.FinReply | CtFlags.FinForward, Known().Flags);
        var forward = Entry(pod, request);
        Assert.Equal((3UL, 3 * size), (forward.Packets, forward.Bytes));
        var reply = pod.Conntrack.ReadAll<CtKey, Ct>().Single(e => e.Value.Flags.HasFlag(CtFlags.Reply)).Value;
        Assert.Equal((2UL, 2 * size, forward.Flags | CtFlags.Reply, forward.State), (reply.Packets, reply.Bytes, reply.Flags, reply.State));
        Assert.Equal((Addr.Parse(Address.Vip4), 80), (reply.Src, reply.Sport.Host));
        Assert.Equal((Addr.Parse(Address.Client4), 1000), (reply.Dst, reply.Dport.Host));

        (CtFlags Flags, CtState State) Known() => (Entry(pod, request).Flags, Entry(pod, request).State);
    }

    [Fact]
    public void A_reset_that_nobody_believed_does_not_end_a_connection_and_one_that_was_believed_does()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        var request = Request(1000);
        Open(pod, 1000);
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.Rst)); // from somewhere else in the sequence space
        Assert.Equal(CtState.Close, Entry(pod, request).State);
        pod.Send(request with { Flags = TcpFlags.Ack });
        Assert.Equal(CtState.Established, Entry(pod, request).State);
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.Rst));
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.Data)); // still on its way when the reset was sent
        Assert.Equal(CtState.SynRecv, Entry(pod, request).State); // a minute, not a day: the client may be gone
        pod.Send(request with { Flags = TcpFlags.Rst });
        Assert.Equal(CtState.Close, Entry(pod, request).State);

        // the control: a connection that was refused does not open by what follows
        pod.Send(Request(1001));
        pod.Send(Request(1001, TcpFlags.Rst));
        pod.Send(Request(1001, TcpFlags.Ack));
        Assert.Equal(CtState.Close, Entry(pod, Request(1001)).State);
    }

    [Fact]
    public void A_port_that_is_used_again_while_its_last_connection_closes_begins_a_new_one_if_the_server_agrees()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        var request = Request(1000);
        Open(pod, 1000);
        pod.Send(request with { Flags = TcpFlags.FinAck });
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.Ack));
        Assert.Equal(CtState.CloseWait, Entry(pod, request).State);
        pod.Send(request);
        Assert.Equal(CtState.CloseWait, Entry(pod, request).State);
        pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.SynAck));
        pod.Send(request with { Flags = TcpFlags.Ack });
        Assert.Equal(CtState.Established, Entry(pod, request).State);
    }

    [Fact]
    public void Two_services_on_one_backend_are_never_confused()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Many[..1]);
        pod.AddService(Address.At("10.96.0.2", 80), IpProtocol.Tcp, Many[..1]);
        pod.Send(Request(1000));
        var request = Request(1000) with { Dst = "10.96.0.2" };
        var sent = pod.Send(request).Packet;
        var port = SportOf(sent);
        Assert.NotEqual(1000, port);
        SamePacket.Equal(request with { Dst = "10.2.1.1", Dport = 8080, Sport = port }, sent);
        SamePacket.Equal(request.Answer(TcpFlags.SynAck), pod.Receive(AnswerFrom("10.2.1.1", port, TcpFlags.SynAck)).Packet);
        SamePacket.Equal(Request(1000).Answer(TcpFlags.SynAck), pod.Receive(AnswerFrom("10.2.1.1", 1000, TcpFlags.SynAck)).Packet);
    }

    private static ushort SportOf(byte[] packet) => (ushort)(packet[34] << 8 | packet[35]);

    private static Ct Entry(PodPrograms pod, Packet request)
    {
        var key = new CtKey(Addr.Parse(request.Src), Addr.Parse(request.Dst), U16Be.FromHost(request.Sport), U16Be.FromHost(request.Dport),
            request.Protocol);
        Assert.True(pod.Conntrack.TryLookup(key, out Ct entry));
        return entry;
    }
}
