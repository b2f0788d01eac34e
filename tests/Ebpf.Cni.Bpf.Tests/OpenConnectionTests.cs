using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A SYN on an established connection changes nothing: its server answers it with a challenge ACK (RFC 5961, 4).</summary>
public sealed class OpenConnectionTests
{
    public enum Change
    {
        Switched,
        Emptied,
        Deleted,
    }

    public static TheoryData<bool, Change, uint> Kinds
    {
        get
        {
            var data = new TheoryData<bool, Change, uint>();
            foreach (var v6 in new[] { false, true })
                foreach (var change in Enum.GetValues<Change>())
                    foreach (var sequence in new uint[] { 1, 0x7badcafe })
                        data.Add(v6, change, sequence);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_SYN_after_its_backend_has_left_changes_nothing(bool v6, Change change, uint sequence)
    {
        using var pod = Open(v6, out var service);
        var before = Entries.Of(pod, Request(v6))!.Value;
        Leave(pod, service, change, v6);
        var towards = Request(v6) with { Dst = Backend(v6, 1), Dport = 8080, Sequence = sequence };
        SamePacket.Equal(towards, pod.Send(Request(v6) with { Sequence = sequence }).Packet);
        Same(before, pod, v6);
        // and it goes on
        var data = Request(v6) with { Flags = TcpFlags.Data, Sequence = sequence };
        SamePacket.Equal(towards with { Flags = TcpFlags.Data }, pod.Send(data).Packet);
        var answer = Answer(v6) with { Flags = TcpFlags.Data };
        SamePacket.Equal(Request(v6).Answer(TcpFlags.Data), pod.Receive(answer).Packet);
        Same(before, pod, v6);
    }

    /// <summary>The control: after the end the same SYN begins a new connection, to a backend that serves.</summary>
    [Theory, InlineData(false, true), InlineData(true, true), InlineData(false, false), InlineData(true, false)]
    public void After_the_end_it_begins_a_new_one(bool v6, bool reset)
    {
        using var pod = Open(v6, out var service);
        Leave(pod, service, Change.Switched, v6);
        foreach (var flags in reset ? [TcpFlags.Rst] : new[] { TcpFlags.FinAck })
            pod.Send(Request(v6) with { Flags = flags });
        if (!reset)
        {
            pod.Receive(Answer(v6) with { Flags = TcpFlags.FinAck });
            pod.Send(Request(v6) with { Flags = TcpFlags.Ack });
            Assert.Equal(CtState.TimeWait, Entries.Of(pod, Request(v6))!.Value.State);
        }
        SamePacket.Equal(Request(v6) with { Dst = Backend(v6, 2), Dport = 8080 }, pod.Send(Request(v6)).Packet);
        Assert.Equal(CtState.SynSent, Entries.Of(pod, Request(v6))!.Value.State);
    }

    private static Packet Request(bool v6) => new() { Src = Address.Client(v6), Dst = Address.Vip(v6), Sport = 1000 };

    private static Packet Answer(bool v6) => (Request(v6) with { Dst = Backend(v6, 1), Dport = 8080 }).Answer(TcpFlags.SynAck);

    private static string Backend(bool v6, int i) => v6 ? $"fd00:2::{i}" : $"10.2.0.{i}";

    private static PodPrograms Open(bool v6, out SvcKey service)
    {
        var pod = new PodPrograms().WithPods();
        service = pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Backend(v6, 1), 8080));
        pod.AddAddressMarker(Address.Vip(v6));
        pod.Send(Request(v6));
        pod.Receive(Answer(v6));
        pod.Send(Request(v6) with { Flags = TcpFlags.Ack });
        Assert.Equal(CtState.Established, Entries.Of(pod, Request(v6))!.Value.State);
        return pod;
    }

    private static void Leave(PodPrograms pod, SvcKey service, Change change, bool v6)
    {
        if (change == Change.Deleted)
            pod.Services.Delete(service);
        else
            pod.SetService(service, SvcFlags.None, change == Change.Switched ? [Address.At(Backend(v6, 2), 8080)] : []);
    }

    private static void Same(Ct before, PodPrograms pod, bool v6)
    {
        var now = Entries.Of(pod, Request(v6))!.Value;
        Assert.Equal((before.CreatedNs, before.Dst, before.Dport, CtState.Established), (now.CreatedNs, now.Dst, now.Dport, now.State));
        Assert.Equal(CtState.Established, Entries.Of(pod, Answer(v6))!.Value.State);
        Assert.Equal(2, Entries.Count(pod));
    }
}
