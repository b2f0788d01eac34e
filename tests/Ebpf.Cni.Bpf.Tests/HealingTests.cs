using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>The LRU may take one of a connection's two entries. The other one brings it back, or goes if its place belongs to another connection by now.</summary>
public sealed class HealingTests
{
    public enum Way
    {
        Service,
        Masquerade,
        NodePort,
    }

    private const ushort Port = 1000, NodePort = 30080;

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
    public void What_the_client_sends_brings_back_the_entry_of_its_answers(bool v6, IpProtocol protocol, Way way)
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
    public void An_answer_brings_back_the_entry_of_what_the_client_sends(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way);
        talk.Open();
        Entries.Evict(talk.Programs, talk.Request);
        Entries.Age(talk.Programs, 2);
        Assert.Equal(talk.Back, Frame.Tuple(talk.Reply().Packet));
        talk.IsWhole();
        Assert.Equal(talk.Out, Frame.Tuple(talk.Ask().Packet)); // the same backend of forty
    }

    [Theory]
    [InlineData(false, IpProtocol.Tcp, Way.Masquerade), InlineData(false, IpProtocol.Udp, Way.Masquerade), InlineData(true, IpProtocol.Udp, Way.Masquerade)]
    [InlineData(false, IpProtocol.Tcp, Way.NodePort), InlineData(true, IpProtocol.Tcp, Way.NodePort), InlineData(false, IpProtocol.Udp, Way.NodePort)]
    public void Where_another_connection_has_taken_its_answers_the_entry_goes(bool v6, IpProtocol protocol, Way way)
    {
        using var talk = new Conversation(v6, protocol, way, backends: 1);
        talk.Open();
        var (request, mine) = (talk.Request, talk.Out);
        Entries.Evict(talk.Programs, talk.Answer);
        // another client, from the same port to the same peer: nothing is in its way
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

    /// <summary>The control: without a loss nothing changes, nor a packet's way.</summary>
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

    /// <summary>One connection at a time, by packets, as the node sees it.</summary>
    private sealed class Conversation : IDisposable
    {
        private readonly RoutedNode _node = new(ConfigFlags.Masquerade);
        private readonly Way _way;
        private int _client;

        public Conversation(bool v6, IpProtocol protocol, Way way, int backends = 40)
        {
            _way = way;
            string[] pods = [.. Enumerable.Range(1, backends).Select(i => Address.At(v6 ? $"fd00:2::{i}" : $"10.2.0.{i}", 8080))];
            _node.Programs.AddService(Address.At(Address.Vip(v6), 80), protocol, pods);
            _node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, pods);
            Request = new Packet { Src = "", Dst = v6 ? "::" : "0.0.0.0", Protocol = protocol, Sport = Port, Flags = protocol == IpProtocol.Tcp ? TcpFlags.Syn : default };
            Next();
        }

        public PodPrograms Programs => _node.Programs;
        public Packet Request { get; private set; }
        public Packet Answer { get; private set; } = null!;

        /// <summary>As the request leaves, and as its answer reaches the client.</summary>
        public string Out { get; private set; } = "";

        public string Back => Frame.Tuple(Request.Answer(default).Bytes());

        public void Next()
        {
            var v6 = Request.IsV6;
            Request = _way switch
            {
                Way.Service => Request with { Src = RoutedNode.Pod(v6, _client), Dst = Address.Vip(v6) },
                Way.Masquerade => Request with { Src = RoutedNode.Pod(v6, _client), Dst = RoutedNode.Outside(v6) },
                _ => Request with { Src = v6 ? $"2001:db8:9::{1 + _client}" : $"203.0.113.{1 + _client}", Dst = RoutedNode.Node(v6), Dport = NodePort },
            };
            _client++;
        }

        public void Open()
        {
            var sent = Pass(Request).Packet;
            Out = Frame.Tuple(sent);
            Answer = new Packet
            {
                Src = Frame.Destination(sent), Dst = Frame.Source(sent), Sport = Frame.Dport(sent), Dport = Frame.Sport(sent), Protocol = Request.Protocol,
                Flags = Request.Protocol == IpProtocol.Tcp ? TcpFlags.SynAck : default, DstMac = default,
            };
            Assert.NotEqual(Frame.Tuple(Request.Bytes()), Out);
            Assert.Equal(Back, Frame.Tuple(Arrive(Answer).Packet));
            Assert.Equal(Out, Frame.Tuple(Ask().Packet));
        }

        public BpfTestRunResult Ask() => Ask(Request);

        public BpfTestRunResult Ask(Packet request) => Pass(request with { Flags = Open(TcpFlags.Ack) });

        public BpfTestRunResult Reply() => Arrive(Answer with { Flags = Open(TcpFlags.Ack) });

        public void IsWhole()
        {
            var (forward, reply) = (Entries.Of(Programs, Request), Entries.Of(Programs, Answer));
            Assert.True(forward is not null, "the entry of what the client sends is missing");
            Assert.True(reply is not null, "the entry of the answers is missing");
            Assert.Equal((forward.Value.State, forward.Value.ServiceId), (reply.Value.State, reply.Value.ServiceId));
            Assert.Equal((false, true), (forward.Value.Flags.HasFlag(CtFlags.Reply), reply.Value.Flags.HasFlag(CtFlags.Reply)));
            if (Request.Protocol == IpProtocol.Tcp)
                Assert.Equal(CtState.Established, forward.Value.State);
        }

        public void Dispose() => _node.Dispose();

        private TcpFlags Open(TcpFlags flags) => Request.Protocol == IpProtocol.Tcp ? flags : default;

        private BpfTestRunResult Pass(Packet packet) => _way == Way.NodePort ? _node.Arrive(packet with { DstMac = default }) : _node.Send(packet);

        private BpfTestRunResult Arrive(Packet packet) => _node.Arrive(packet);
    }
}
