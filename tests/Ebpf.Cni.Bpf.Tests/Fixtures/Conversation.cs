using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>One translated connection at a time, packet by packet in test runs.</summary>
internal sealed class Conversation : IDisposable
{
    private const ushort Port = 1000, NodePort = 30080;

    private readonly RoutedNode _node = new(ConfigFlags.Masquerade);
    private readonly Way _way;
    private int _client;

    /// <param name="v6">Its family.</param>
    /// <param name="protocol">TCP or UDP.</param>
    /// <param name="way">Its translation.</param>
    /// <param name="backends">Of the Service.</param>
    public Conversation(bool v6, IpProtocol protocol, Way way, int backends = 40)
    {
        _way = way;
        string[] pods = [.. Enumerable.Range(1, backends).Select(i => Address.At(v6 ? $"fd00:2::{i}" : $"10.2.0.{i}", 8080))];
        _node.Programs.AddService(Address.At(Address.Vip(v6), 80), protocol, pods);
        _node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, pods);
        var flags = Tcp(protocol, TcpFlags.Syn);
        Request = new Packet { Src = "", Dst = v6 ? "::" : "0.0.0.0", Protocol = protocol, Sport = Port, Flags = flags };
        Next();
    }

    public PodPrograms Programs => _node.Programs;

    /// <summary>As the client sends it.</summary>
    public Packet Request { get; private set; }

    /// <summary>As it arrives at the node.</summary>
    public Packet Answer { get; private set; } = null!;

    /// <summary>The tuple of the request as it leaves the node.</summary>
    public string Out { get; private set; } = "";

    /// <summary>The tuple of the answer as it reaches the client.</summary>
    public string Back => Frame.Tuple(Request.Answer(default).Bytes());

    /// <summary>Another client, with the same source port.</summary>
    public void Next()
    {
        var v6 = Request.IsV6;
        var outside = v6 ? $"2001:db8:9::{1 + _client}" : $"203.0.113.{1 + _client}";
        Request = _way switch
        {
            Way.Service => Request with { Src = RoutedNode.Pod(v6, _client), Dst = Address.Vip(v6) },
            Way.Masquerade => Request with { Src = RoutedNode.Pod(v6, _client), Dst = RoutedNode.Outside(v6) },
            _ => Request with { Src = outside, Dst = RoutedNode.Node(v6), Dport = NodePort },
        };
        _client++;
    }

    /// <summary>The first packets of both sides, until the connection is established.</summary>
    public void Open()
    {
        var sent = Pass(Request).Packet;
        Out = Frame.Tuple(sent);
        Answer = new Packet
        {
            Src = Frame.Destination(sent), Dst = Frame.Source(sent), Sport = Frame.Dport(sent), Dport = Frame.Sport(sent),
            Protocol = Request.Protocol, Flags = Tcp(Request.Protocol, TcpFlags.SynAck), DstMac = default,
        };
        Assert.NotEqual(Frame.Tuple(Request.Bytes()), Out);
        Assert.Equal(Back, Frame.Tuple(_node.Arrive(Answer).Packet));
        Assert.Equal(Out, Frame.Tuple(Ask().Packet));
    }

    public BpfTestRunResult Ask() => Ask(Request);

    public BpfTestRunResult Ask(Packet request) => Pass(request with { Flags = Tcp(request.Protocol, TcpFlags.Ack) });

    public BpfTestRunResult Reply() => _node.Arrive(Answer with { Flags = Tcp(Answer.Protocol, TcpFlags.Ack) });

    /// <summary>Both entries are there, and agree.</summary>
    public void IsWhole()
    {
        var (forward, reply) = (Entries.Of(Programs, Request), Entries.Of(Programs, Answer));
        Assert.True(forward is not null, "the forward entry is missing");
        Assert.True(reply is not null, "the reply entry is missing");
        Assert.Equal((forward.Value.State, forward.Value.ServiceId), (reply.Value.State, reply.Value.ServiceId));
        Assert.Equal((false, true), (forward.Value.Flags.HasFlag(CtFlags.Reply), reply.Value.Flags.HasFlag(CtFlags.Reply)));
        if (Request.Protocol == IpProtocol.Tcp)
            Assert.Equal(CtState.Established, forward.Value.State);
    }

    public void Dispose() => _node.Dispose();

    private static TcpFlags Tcp(IpProtocol protocol, TcpFlags flags) => protocol == IpProtocol.Tcp ? flags : default;

    private BpfTestRunResult Pass(Packet packet) =>
        _way == Way.NodePort ? _node.Arrive(packet with { DstMac = default }) : _node.Send(packet);
}
