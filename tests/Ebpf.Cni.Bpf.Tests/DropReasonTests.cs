using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A drop says why, at whichever hook: a node that has run out of ports is told so, and not that a packet could not be edited.</summary>
public sealed class DropReasonTests
{
    private const ushort Only = 50000, NodePort = 30080;

    private static readonly Config Narrow = new Config(PodPrograms.Usual | ConfigFlags.Masquerade) with { SnatPortMin = Only, SnatPortMax = Only };

    /// <summary>The node's own packet to a pod wants a port at which the pod answers others.</summary>
    [Theory, InlineData(false, IpProtocol.Tcp), InlineData(true, IpProtocol.Tcp), InlineData(false, IpProtocol.Udp), InlineData(true, IpProtocol.Udp)]
    public void No_source_port_is_left_on_the_way_into_a_pod(bool v6, IpProtocol protocol)
    {
        using var node = new RoutedNode(new PodPrograms(Narrow));
        node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, Address.At(RoutedNode.Pod(v6), 8080));
        for (var i = 1; i <= 2; i++)
            Assert.Equal(
                PodPrograms.Redirect,
                node.Arrive(new Packet { Src = v6 ? $"2001:db8:9::{i}" : $"203.0.113.{i}", Dst = RoutedNode.Node(v6), Sport = (ushort)(1000 + i), Dport = NodePort, Protocol = protocol }).ReturnValue);
        var own = new Packet { Src = RoutedNode.Node(v6), Dst = RoutedNode.Pod(v6), Sport = 1001, Dport = 8080, Protocol = protocol, SrcMac = Macs.Gateway, DstMac = Macs.Client };
        var first = node.Namespace.Run(() => node.Programs.Receive(own)); // it gets the only port
        Assert.Equal((PodPrograms.Ok, Only), (first.ReturnValue, Frame.Sport(first.Packet)));
        Assert.Equal(PodPrograms.Shot, node.Namespace.Run(() => node.Programs.Receive(own with { Sport = 1002 })).ReturnValue);
        Assert.Contains("PodIngress.SnatPorts=1", node.Programs.Counts(), StringComparison.Ordinal);
        Assert.DoesNotContain("Rewrite", node.Programs.Counts(), StringComparison.Ordinal);
    }

    [Theory, InlineData(false, IpProtocol.Tcp), InlineData(true, IpProtocol.Tcp), InlineData(false, IpProtocol.Udp), InlineData(true, IpProtocol.Udp)]
    public void No_source_port_is_left_on_the_way_out_of_the_cluster(bool v6, IpProtocol protocol)
    {
        using var node = new RoutedNode(new PodPrograms(Narrow));
        var sent = Enumerable.Range(0, 4).Select(i => node.Send(new Packet { Src = RoutedNode.Pod(v6, i), Dst = RoutedNode.Outside(v6), Sport = 1000, Dport = 53, Protocol = protocol }).ReturnValue);
        Assert.Equal([PodPrograms.Redirect, PodPrograms.Redirect, PodPrograms.Shot, PodPrograms.Shot], sent);
        Assert.Contains("PodEgress.SnatPorts=2", node.Programs.Counts(), StringComparison.Ordinal);
        Assert.DoesNotContain("Rewrite", node.Programs.Counts(), StringComparison.Ordinal);
    }
}
