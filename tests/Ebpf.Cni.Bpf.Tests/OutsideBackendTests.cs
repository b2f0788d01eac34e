using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A Service whose backend is outside of the cluster (an API server that others run): what the routes refuse when a connection begins does
/// not keep the pod's address for when they have changed.
/// </summary>
public sealed class OutsideBackendTests
{
    private const int Mtu = 1400;

    public static TheoryData<bool, IpProtocol> Kinds
    {
        get
        {
            var data = new TheoryData<bool, IpProtocol>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { IpProtocol.Udp, IpProtocol.Tcp })
                    data.Add(v6, protocol);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_refused_connection_leaves_as_the_node_when_the_routes_are_back(bool v6, IpProtocol protocol)
    {
        using var node = Serving(v6, protocol);
        var request = Request(v6, protocol, 100);
        foreach (var how in new[] { RouteType.Unreachable, RouteType.Blackhole, RouteType.Prohibit })
        {
            node.Refuse(v6, how);
            Assert.Equal(PodPrograms.Shot, node.Send(request).ReturnValue);
        }
        Assert.Equal("PodEgress.Untracked=3", node.Programs.Counts());
        node.Refuse(v6, null);
        LeavesAsTheNode(node, v6, request);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_is_too_big_at_first_is_answered_and_leaves_as_the_node_when_it_fits(bool v6, IpProtocol protocol)
    {
        using var node = Serving(v6, protocol);
        var sent = node.Send(Request(v6, protocol, Mtu));
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        Assert.Equal((v6 ? (byte)2 : (byte)3, v6 ? (byte)0 : (byte)4, (ushort)Mtu), Frame.IcmpError(sent.Packet));
        Assert.Equal("PodEgress.TooBig=1", node.Programs.Counts());
        LeavesAsTheNode(node, v6, Request(v6, protocol, 100));
    }

    private static RoutedNode Serving(bool v6, IpProtocol protocol)
    {
        var node = new RoutedNode(ConfigFlags.Masquerade, Mtu);
        node.Programs.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(RoutedNode.Outside(v6), 8080));
        return node;
    }

    private static Packet Request(bool v6, IpProtocol protocol, int payload) => new()
    {
        Src = RoutedNode.Pod(v6), Dst = Address.Vip(v6), Protocol = protocol, Dport = 80, Payload = new byte[payload],
        Flags = protocol == IpProtocol.Tcp ? TcpFlags.Syn : 0,
    };

    private static void LeavesAsTheNode(RoutedNode node, bool v6, Packet request)
    {
        var sent = node.Send(request);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        Assert.Equal((RoutedNode.Node(v6), RoutedNode.Outside(v6)), (Frame.Source(sent.Packet), Frame.Destination(sent.Packet)));
    }
}
