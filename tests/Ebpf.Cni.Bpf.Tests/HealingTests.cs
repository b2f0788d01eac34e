using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// The LRU may evict one of a connection's two entries. The other one restores it, or goes if another connection has taken its key.
/// </summary>
public sealed class HealingTests
{
    public static TheoryData<bool, IpProtocol, Way> Kinds
    {
        get
        {
            var data = new TheoryData<bool, IpProtocol, Way>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
                    foreach (var way in Enum.GetValues<Way>())
                        data.Add(v6, protocol, way);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_clients_packet_restores_the_reply_entry(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way);
        talk.Open();
        Entries.Evict(talk.Programs, talk.Answer);
        Entries.Age(talk.Programs, 2);
        Assert.Equal(talk.Out, Frame.Tuple(talk.Ask().Packet));
        talk.IsWhole();
        Assert.Equal(talk.Back, Frame.Tuple(talk.Reply().Packet));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void An_answer_restores_the_forward_entry(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way);
        talk.Open();
        Entries.Evict(talk.Programs, talk.Request);
        Entries.Age(talk.Programs, 2);
        Assert.Equal(talk.Back, Frame.Tuple(talk.Reply().Packet));
        talk.IsWhole();
        Assert.Equal(talk.Out, Frame.Tuple(talk.Ask().Packet)); // the same backend of forty
    }

    /// <summary>The other connection comes from another client with the same source port, to the same peer.</summary>
    [Theory]
    [InlineData(false, IpProtocol.Tcp, Way.Masquerade), InlineData(false, IpProtocol.Udp, Way.Masquerade)]
    [InlineData(true, IpProtocol.Udp, Way.Masquerade), InlineData(false, IpProtocol.Tcp, Way.NodePort)]
    [InlineData(true, IpProtocol.Tcp, Way.NodePort), InlineData(false, IpProtocol.Udp, Way.NodePort)]
    public void A_forward_entry_whose_answers_belong_to_another_connection_goes(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way, backends: 1);
        talk.Open();
        var (request, mine) = (talk.Request, talk.Out);
        Entries.Evict(talk.Programs, talk.Answer);
        talk.Next();
        talk.Open();
        Assert.Equal(mine, talk.Out);
        Entries.Age(talk.Programs, 2);

        var sent = talk.Ask(request);
        Assert.True(sent.ReturnValue == PodPrograms.Shot || Frame.Tuple(sent.Packet) != mine, $"two connections leave as {mine}");
        var left = Entries.Of(talk.Programs, request);
        Assert.True(left is null || left.Value.Sport.Host != talk.Answer.Dport, "the former entry is still there");
        Assert.Equal(talk.Back, Frame.Tuple(talk.Reply().Packet));
        Assert.Equal(mine, Frame.Tuple(talk.Ask().Packet));
    }

    /// <summary>The control: without an eviction nothing changes.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void A_whole_connection_stays_as_it_is(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way);
        talk.Open();
        Entries.Age(talk.Programs, 2);
        Assert.Equal(talk.Out, Frame.Tuple(talk.Ask().Packet));
        Assert.Equal(talk.Back, Frame.Tuple(talk.Reply().Packet));
        talk.IsWhole();
    }
}
