using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// As in nf_conntrack: a question and its answer live for 30 s. A flow that is answered and goes on after two seconds is a stream, and
/// lives for 120 s.
/// </summary>
public sealed class UdpLifeTests
{
    private static Packet Request(bool v6) =>
        new() { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Udp, Dport = 53 };

    private static Packet Answer(bool v6) => (Request(v6) with { Dst = Address.Remote(v6) }).Answer(default);

    [Theory, InlineData(false), InlineData(true)]
    public void A_question_and_its_answer_are_no_stream(bool v6)
    {
        using var pod = Asked(v6);
        pod.Receive(Answer(v6));
        Assert.Equal((CtState.Udp, CtState.Udp), States(pod, v6));
        pod.Send(Request(v6)); // again within two seconds
        Assert.Equal((CtState.Udp, CtState.Udp), States(pod, v6));
        Assert.True(Entries.Of(pod, Request(v6))!.Value.Flags.HasFlag(CtFlags.SeenReply));

        var first = Entries.Of(pod, Request(v6))!.Value.CreatedNs;
        Entries.Age(pod, 33);
        pod.Send(Request(v6));
        Assert.True(Entries.Of(pod, Request(v6))!.Value.CreatedNs > first, "the entry outlived its 30 seconds");
    }

    [Theory, InlineData(false, true), InlineData(true, true), InlineData(false, false), InlineData(true, false)]
    public void What_was_answered_and_goes_on_after_two_seconds_is_a_stream(bool v6, bool byAnswer)
    {
        using var pod = Asked(v6);
        pod.Receive(Answer(v6));
        Entries.Age(pod, 3);
        if (byAnswer)
            pod.Receive(Answer(v6));
        else
            pod.Send(Request(v6));
        Assert.Equal((CtState.UdpStream, CtState.UdpStream), States(pod, v6));

        Entries.Age(pod, 33);
        var first = Entries.Of(pod, Request(v6))!.Value.CreatedNs;
        pod.Send(Request(v6));
        Assert.Equal(first, Entries.Of(pod, Request(v6))!.Value.CreatedNs);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_flow_without_answers_never_becomes_one(bool v6)
    {
        using var pod = Asked(v6);
        for (var i = 0; i < 3; i++)
        {
            Entries.Age(pod, 3);
            pod.Send(Request(v6));
            Assert.Equal((CtState.Udp, CtState.Udp), States(pod, v6));
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_first_answer_after_two_seconds_makes_a_stream_of_what_follows(bool v6)
    {
        using var pod = Asked(v6);
        Entries.Age(pod, 3);
        pod.Receive(Answer(v6));
        pod.Send(Request(v6));
        Assert.Equal((CtState.UdpStream, CtState.UdpStream), States(pod, v6));
    }

    private static (CtState Forward, CtState Reply) States(PodPrograms pod, bool v6) =>
        (Entries.Of(pod, Request(v6))!.Value.State, Entries.Of(pod, Answer(v6))!.Value.State);

    private static PodPrograms Asked(bool v6)
    {
        var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 53), IpProtocol.Udp, Address.At(Address.Remote(v6), 53));
        pod.Send(Request(v6));
        return pod;
    }
}
