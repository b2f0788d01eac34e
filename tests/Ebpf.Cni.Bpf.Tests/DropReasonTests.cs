using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A drop is counted with its reason at every hook: without a free source port it is SnatPorts, never Rewrite.</summary>
public sealed class DropReasonTests
{
    private const ushort Only = 50000, NodePort = 30080;

    private static readonly Config Narrow =
        new Config(PodPrograms.Usual | ConfigFlags.Masquerade) with { SnatPortMin = Only, SnatPortMax = Only };

    public static TheoryData<bool, IpProtocol> Kinds => new()
    {
        { false, IpProtocol.Tcp }, { true, IpProtocol.Tcp }, { false, IpProtocol.Udp }, { true, IpProtocol.Udp },
    };

    /// <summary>The node's own connection to a pod, from ports at which the pod answers masqueraded clients.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void No_source_port_is_left_on_the_way_into_a_pod(bool v6, IpProtocol protocol)
    {
        using var node = new RoutedNode(new PodPrograms(Narrow));
        node.Programs.AddService(Address.At(RoutedNode.Node(v6), NodePort), protocol, Address.At(RoutedNode.Pod(v6), 8080));
        var outside = v6 ? "2001:db8:9::1" : "203.0.113.1";
        var masqueraded = new Packet { Src = outside, Dst = RoutedNode.Node(v6), Dport = NodePort, Protocol = protocol };
        foreach (ushort port in new[] { 1001, 1002 })
            Assert.Equal(PodPrograms.Redirect, node.Arrive(masqueraded with { Sport = port }).ReturnValue);
        var own = new Packet
        {
            Src = RoutedNode.Node(v6), Dst = RoutedNode.Pod(v6), Sport = 1001, Dport = 8080, Protocol = protocol,
            SrcMac = Macs.Gateway, DstMac = Macs.Client,
        };
        var first = node.Namespace.Run(() => node.Programs.Receive(own)); // it gets the only port
        Assert.Equal((PodPrograms.Ok, Only), (first.ReturnValue, Frame.Sport(first.Packet)));
        Assert.Equal(PodPrograms.Shot, node.Namespace.Run(() => node.Programs.Receive(own with { Sport = 1002 })).ReturnValue);
        Assert.Contains("PodIngress.SnatPorts=1", node.Programs.Counts(), StringComparison.Ordinal);
        Assert.DoesNotContain("Rewrite", node.Programs.Counts(), StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void No_source_port_is_left_on_the_way_out_of_the_cluster(bool v6, IpProtocol protocol)
    {
        using var node = new RoutedNode(new PodPrograms(Narrow));
        var packet = new Packet { Src = RoutedNode.Pod(v6), Dst = RoutedNode.Outside(v6), Sport = 1000, Dport = 53, Protocol = protocol };
        var sent = Enumerable.Range(0, 4).Select(i => node.Send(packet with { Src = RoutedNode.Pod(v6, i) }).ReturnValue);
        Assert.Equal([PodPrograms.Redirect, PodPrograms.Redirect, PodPrograms.Shot, PodPrograms.Shot], sent);
        Assert.Contains("PodEgress.SnatPorts=2", node.Programs.Counts(), StringComparison.Ordinal);
        Assert.DoesNotContain("Rewrite", node.Programs.Counts(), StringComparison.Ordinal);
    }
}
