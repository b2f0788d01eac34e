using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A cluster IP has its Service's ports and nothing else: an echo or GRE is refused, and never leaves the node.</summary>
public sealed class ClusterAddressTests
{
    private const IpProtocol Gre = (IpProtocol)47;

    public static TheoryData<bool, IpProtocol, ushort> Kinds => new()
    {
        { false, IpProtocol.Icmp, 7 }, { false, IpProtocol.Icmp, 0 }, { false, Gre, 0 },
        { true, IpProtocol.IcmpV6, 7 }, { true, IpProtocol.IcmpV6, 0 }, { true, Gre, 0 },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_is_refused(bool v6, IpProtocol protocol, ushort id)
    {
        using var node = Serving(v6);
        Refused(node.Send(Of(v6, protocol, id, RoutedNode.Pod(v6), Address.Vip(v6))), RoutedNode.Pod(v6), v6, node);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void The_node_is_refused(bool v6, IpProtocol protocol, ushort id)
    {
        using var node = Serving(v6);
        Refused(node.Leave(Of(v6, protocol, id, RoutedNode.Node(v6), Address.Vip(v6))), RoutedNode.Node(v6), v6, node);
    }

    /// <summary>The control: outside addresses, and the node's own although it has a NodePort.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void Other_addresses_are_asked(bool v6, IpProtocol protocol, ushort id)
    {
        using var node = Serving(v6);
        var own = Of(v6, protocol, id, RoutedNode.Pod(v6), RoutedNode.Node(v6));
        var here = node.Send(own);
        Assert.Equal(PodPrograms.Ok, here.ReturnValue);
        SamePacket.Equal(own, here.Packet);
        var world = node.Send(own with { Dst = RoutedNode.Outside(v6) });
        Assert.Equal((PodPrograms.Redirect, null), (world.ReturnValue, Frame.IcmpError(world.Packet)));
        Assert.Equal(RoutedNode.Outside(v6), Frame.Destination(world.Packet));
        // on another node: beside the pod's, an echo would get an identifier of its own
        using var alone = Serving(v6);
        var packet = Of(v6, protocol, id, RoutedNode.Node(v6), RoutedNode.Outside(v6));
        var left = alone.Leave(packet);
        Assert.Equal(PodPrograms.Ok, left.ReturnValue);
        SamePacket.Equal(packet, left.Packet);
    }

    private static void Refused(Kernel.Bpf.BpfTestRunResult result, string sender, bool v6, RoutedNode node)
    {
        Assert.Equal(PodPrograms.Redirect, result.ReturnValue);
        var error = Frame.IcmpError(result.Packet);
        var ends = $"{Frame.Source(result.Packet)} > {Frame.Destination(result.Packet)}";
        Assert.True(error is not null, $"no ICMP error, but {ends}; {node.Programs.Counts()}");
        Assert.Equal(v6 ? (byte)1 : (byte)3, error.Value.Type);
        Assert.Equal((Address.Vip(v6), sender), (Frame.Source(result.Packet), Frame.Destination(result.Packet)));
        Assert.DoesNotContain("Forwarded", node.Programs.Counts(), StringComparison.Ordinal);
    }

    private static Packet Of(bool v6, IpProtocol protocol, ushort id, string from, string to) => new()
    {
        Src = from, Dst = to, Protocol = protocol, Payload = [.. "\0\0\u0008\0"u8, .. new byte[20]],
        IcmpType = v6 ? (byte)128 : (byte)8, IcmpRest = (uint)id << 16 | 1,
    };

    private static RoutedNode Serving(bool v6)
    {
        var node = new RoutedNode(ConfigFlags.Masquerade);
        node.Programs.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        node.Programs.AddAddressMarker(Address.Vip(v6));
        node.Programs.AddService(Address.At(RoutedNode.Node(v6), 30080), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        return node;
    }
}
