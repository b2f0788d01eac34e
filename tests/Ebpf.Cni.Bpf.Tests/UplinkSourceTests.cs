using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A packet from an uplink does not have the source of this node, of its pods, or of a pod behind the tunnel.</summary>
public sealed class UplinkSourceTests
{
    private const int NodePort = 30080;
    private const string Node4 = "192.0.2.77", Node6 = "2001:db8::77", Peer4 = "192.0.2.78", Peer6 = "2001:db8::78";

    public static TheoryData<bool> Families => [false, true];

    [Theory, MemberData(nameof(Families))]
    public void An_address_of_this_node_or_of_a_tunnelled_pod_is_no_source(bool v6) => Drops(
        v6,
        v6
            ? [Node6, "2001:db8::99", Address.Server6, "fd00:1::77", Address.Remote6]
            : [Node4, "192.0.2.99", Address.Server4, "10.1.0.77", Address.Remote4]);

    [Theory, MemberData(nameof(Families))]
    public void Multicast_broadcast_and_unspecified_addresses_are_no_source(bool v6) =>
        Drops(v6, v6 ? ["ff02::1", "ff0e::1", "::"] : ["224.0.0.1", "239.1.2.3", "255.255.255.255", "0.0.0.0"]);

    [Theory, MemberData(nameof(Families))]
    public void A_service_that_keeps_the_source_keeps_none_of_them(bool v6)
    {
        using var node = Node();
        node.SetService(Frontend(v6, Scope.External), SvcFlags.KeepSource, Address.At(Address.Client(v6), 8080));
        Assert.Equal(PodPrograms.Shot, node.Arrive(Request(v6, Own(v6))).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Arrive(Request(v6, Address.Server(v6))).ReturnValue);
        Assert.Equal("UplinkIngress.UplinkSource=2", node.Counts());
        // the control
        Assert.Equal(PodPrograms.Redirect, node.Arrive(Request(v6, Outside(v6))).ReturnValue);
        Assert.Equal(1UL, node.Count(Reason.Service, Hook.UplinkIngress));
    }

    /// <summary>The control of the drops: the world, and pods and nodes that are reached without a tunnel.</summary>
    [Theory, MemberData(nameof(Families))]
    public void Other_sources_reach_the_pod(bool v6)
    {
        using var node = Node();
        string[] sources = [Outside(v6), v6 ? "fd00:3::5" : "10.3.0.5", v6 ? "2001:db8::79" : "192.0.2.79"];
        Assert.Equal(sources, sources.Where(source => node.Arrive(To(Address.Client(v6), source)).ReturnValue == PodPrograms.Redirect));
        Assert.DoesNotContain("UplinkSource", node.Counts(), StringComparison.Ordinal);
    }

    /// <summary>The node asks a load balancer, which hands the packet back to it with the source that it has.</summary>
    [Theory, MemberData(nameof(Families))]
    public void The_nodes_own_request_that_a_load_balancer_sends_back_is_answered(bool v6)
    {
        using var node = Node();
        node.SetService(Frontend(v6), SvcFlags.None, BackendFlags.None, Address.At(Address.Client(v6), 8080));
        var request = Request(v6, Own(v6));
        var delivered = node.Arrive(request);
        Assert.Equal(PodPrograms.Redirect, delivered.ReturnValue);
        var port = Frame.Sport(delivered.Packet);
        var expected = request with
        {
            Dst = Address.Client(v6), Sport = port, Dport = 8080, Ttl = 63, SrcMac = Macs.Gateway, DstMac = Macs.Client,
        };
        SamePacket.Equal(expected, delivered.Packet);
        var answer = new Packet { Src = Address.Client(v6), Dst = Own(v6), Sport = 8080, Dport = port, Flags = TcpFlags.SynAck };
        var answered = node.Send(answer);
        Assert.NotEqual(PodPrograms.Shot, answered.ReturnValue);
        Assert.Equal(Frame.Tuple(request.Answer(0).Bytes()), Frame.Tuple(answered.Packet));
        Assert.Equal("PodEgress.Reply=1 UplinkIngress.Service=1", node.Counts());
    }

    /// <summary>What it had written would make a Service's answers of what the pod says to the one whose address it is.</summary>
    [Theory, MemberData(nameof(Families))]
    public void A_refused_source_is_not_remembered(bool v6)
    {
        using var node = Node();
        node.SetService(Frontend(v6, Scope.External), SvcFlags.KeepSource, Address.At(Address.Client(v6), 8080));
        Assert.Equal(PodPrograms.Shot, node.Arrive(Request(v6, Address.Server(v6))).ReturnValue);
        Assert.Empty(node.Conntrack.ReadAll<CtKey, Ct>());
        Assert.Equal(PodPrograms.Shot, node.Arrive(To(Address.Client(v6), Address.Server(v6)) with { Dport = 8080 }).ReturnValue);
        var said = new Packet { Src = Address.Client(v6), Dst = Address.Server(v6), Sport = 8080, Dport = 40000, Flags = TcpFlags.Ack };
        Assert.Equal(Frame.Tuple(said.Bytes()), Frame.Tuple(node.Send(said).Packet));
        Assert.Equal("PodEgress.Delivered=1 UplinkIngress.UplinkSource=2", node.Counts());
    }

    /// <summary>This node would put it into the tunnel, whose other end believes it.</summary>
    [Theory, MemberData(nameof(Families))]
    public void Nothing_with_such_a_source_goes_on_to_a_pod_of_another_node(bool v6)
    {
        using var node = Node();
        foreach (var source in new[] { Own(v6), Address.Server(v6) })
            Assert.Equal(PodPrograms.Shot, node.Arrive(To(Address.Remote(v6), source)).ReturnValue);
        Assert.Equal("UplinkIngress.UplinkSource=2", node.Counts());
        // the control
        Assert.NotEqual(PodPrograms.Shot, node.Arrive(To(Address.Remote(v6), Outside(v6))).ReturnValue);
    }

    /// <summary>As the kernel, which does not forward it: every node of the link has got it, and answers would be as many.</summary>
    [Theory, MemberData(nameof(Families))]
    public void A_frame_for_many_is_nobodys_request(bool v6)
    {
        using var node = Node();
        node.SetService(Frontend(v6, Scope.External), SvcFlags.None, Address.At(Address.Client(v6), 8080));
        node.SetService(PodPrograms.Key(Address.At(Own(v6), NodePort + 1), IpProtocol.Tcp, Scope.External), SvcFlags.None);
        foreach (var mac in new[] { "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01" })
            foreach (var port in new ushort[] { NodePort, NodePort + 1 })
            {
                var frame = Request(v6, Outside(v6)) with { Dport = port, DstMac = MacAddr.Parse(mac) };
                var result = node.Arrive(frame.Bytes());
                Assert.Equal(PodPrograms.Ok, result.ReturnValue);
                SamePacket.Equal(frame, result.Packet);
            }
        Assert.Equal("", node.Counts());
        Assert.Equal(PodPrograms.Redirect, node.Arrive(Request(v6, Outside(v6))).ReturnValue);
    }

    /// <summary>Where the parser ends, the source check would.</summary>
    [Fact]
    public void What_cannot_be_read_does_not_enter_a_pod_by_the_stack()
    {
        using var node = Node();
        var packet = To(Address.Client6, Address.Server6) with
        {
            DstMac = Macs.Client, Extensions = [.. Enumerable.Repeat(new Extension(60, new byte[6]), 9)],
        };
        Assert.Equal(PodPrograms.Shot, node.Receive(packet).ReturnValue);
        Assert.Equal("PodIngress.Malformed=1", node.Counts());
        using var chained = new PodPrograms(PodPrograms.Usual | ConfigFlags.Chained).WithPods();
        Assert.NotEqual(PodPrograms.Shot, chained.Receive(packet).ReturnValue);
    }

    private static void Drops(bool v6, string[] sources)
    {
        using var node = Node();
        foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
        {
            uint Verdict(string source) => node.Arrive(To(Address.Client(v6), source) with { Protocol = protocol }).ReturnValue;
            Assert.Equal(sources, sources.Where(source => Verdict(source) == PodPrograms.Shot));
        }
        Assert.Equal($"UplinkIngress.UplinkSource={2 * sources.Length}", node.Counts());
    }

    private static string Own(bool v6) => v6 ? Node6 : Node4;

    private static string Outside(bool v6) => v6 ? "2001:db8:9::9" : "198.51.100.9";

    private static SvcKey Frontend(bool v6, Scope scope = Scope.Internal) =>
        PodPrograms.Key(Address.At(Own(v6), NodePort), IpProtocol.Tcp, scope);

    private static Packet To(string address, string source) => new() { Src = source, Dst = address, DstMac = default };

    private static Packet Request(bool v6, string source) => To(Own(v6), source) with { Dport = NodePort };

    private static PodPrograms Node()
    {
        var node = new PodPrograms(PodPrograms.Usual | ConfigFlags.Masquerade).WithPods();
        node.SetUplink(0, Node4, Node6);
        foreach (var own in new[] { Node4 + "/32", "192.0.2.99/32", Node6 + "/128", "2001:db8::99/128" })
            node.AddCluster(own, IpcacheFlags.Node | IpcacheFlags.Local);
        foreach (var peer in new[] { "192.0.2.79/32", "2001:db8::79/128" })
            node.AddCluster(peer, IpcacheFlags.Node);
        foreach (var v6 in new[] { false, true })
        {
            node.AddCluster(v6 ? "fd00:1::/64" : "10.1.0.0/16", IpcacheFlags.Pod | IpcacheFlags.Local);
            node.AddCluster(v6 ? "fd00:3::/64" : "10.3.0.0/16", IpcacheFlags.Pod);
            node.AddTunnelled(v6 ? "fd00:2::/64" : "10.2.0.0/16", IpcacheFlags.Pod, Peer4);
            node.AddTunnelled(v6 ? Peer6 + "/128" : Peer4 + "/32", IpcacheFlags.Node, Peer4);
        }
        node.SetOverlay(88, 1450);
        return node;
    }
}
