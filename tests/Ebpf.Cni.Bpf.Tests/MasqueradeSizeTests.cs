using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A packet that is too big for its route out of the cluster is answered with the MTU, never left to the stack. The stack would cut it, or
/// answer it, with the pod's address in it.
/// </summary>
public sealed class MasqueradeSizeTests
{
    private const int Mtu = 1400;

    public static TheoryData<bool, IpProtocol, bool> Kinds
    {
        get
        {
            var data = new TheoryData<bool, IpProtocol, bool>();
            foreach (var protocol in new[] { IpProtocol.Udp, IpProtocol.Tcp, IpProtocol.Icmp, (IpProtocol)47 })
                foreach (var whole in new[] { false, true })
                    data.Add(false, protocol, whole);
            foreach (var protocol in new[] { IpProtocol.Udp, IpProtocol.Tcp, IpProtocol.IcmpV6, (IpProtocol)47 })
                data.Add(true, protocol, true);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void It_is_answered_whether_it_may_be_cut_or_not(bool v6, IpProtocol protocol, bool whole)
    {
        using var node = new RoutedNode(ConfigFlags.Masquerade, Mtu);
        var frame = Of(v6, protocol, Mtu + 20).Bytes();
        var sent = node.Send(whole ? frame : Frame.MayBeCut(frame));
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        Assert.Equal((v6 ? (byte)2 : (byte)3, v6 ? (byte)0 : (byte)4, (ushort)Mtu), Frame.IcmpError(sent.Packet));
        Assert.Equal(RoutedNode.Pod(v6), Frame.Destination(sent.Packet));
        Assert.Equal("PodEgress.TooBig=1", node.Programs.Counts());
    }

    /// <summary>The control.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void What_fits_leaves_as_the_node(bool v6, IpProtocol protocol, bool whole)
    {
        using var node = new RoutedNode(ConfigFlags.Masquerade, Mtu);
        var frame = Of(v6, protocol, Mtu).Bytes();
        var sent = node.Send(whole ? frame : Frame.MayBeCut(frame));
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        Assert.Equal((RoutedNode.Node(v6), RoutedNode.Outside(v6)), (Frame.Source(sent.Packet), Frame.Destination(sent.Packet)));
        Assert.Equal(frame.Length, sent.Packet.Length);
    }

    private static Packet Of(bool v6, IpProtocol protocol, int size)
    {
        var packet = new Packet
        {
            Src = RoutedNode.Pod(v6), Dst = RoutedNode.Outside(v6), Protocol = protocol, Payload = [],
            IcmpType = v6 ? (byte)128 : (byte)8, IcmpRest = 7 << 16 | 1,
        };
        return packet with { Payload = new byte[14 + size - packet.Bytes().Length] };
    }
}
