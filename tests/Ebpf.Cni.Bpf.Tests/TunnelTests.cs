using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What goes into a tunnel and what passes it by, packet by packet.</summary>
public sealed class TunnelTests
{
    private const int Device = 88, Mtu = 1450;
    private const string Node4 = "192.0.2.77", Node6 = "2001:db8::77", Peer4 = "192.0.2.78", Peer6 = "2001:db8::78";
    private const ConfigFlags Flags = PodPrograms.Usual | ConfigFlags.Masquerade;

    public static TheoryData<bool> Families => [false, true];

    private static string Node(bool v6) => v6 ? Node6 : Node4;

    private static string Peer(bool v6) => v6 ? Peer6 : Peer4;

    private static PodPrograms WithTunnel(ConfigFlags flags = Flags)
    {
        var pod = new PodPrograms(flags).WithPods();
        pod.SetUplink(0, Node4, Node6);
        foreach (var v6 in new[] { false, true })
        {
            pod.AddCluster(v6 ? "fd00:1::/64" : "10.1.0.0/16", IpcacheFlags.Pod);
            pod.AddCluster(v6 ? Node6 + "/128" : Node4 + "/32", IpcacheFlags.Node);
            pod.AddTunnelled(v6 ? "fd00:2::/64" : "10.2.0.0/16", IpcacheFlags.Pod, Peer4);
            pod.AddTunnelled(v6 ? Peer6 + "/128" : Peer4 + "/32", IpcacheFlags.Node, Peer4);
        }
        pod.SetOverlay(Device, Mtu);
        return pod;
    }

    [Theory, MemberData(nameof(Families))]
    public void A_pods_packet_to_another_nodes_pod_or_to_that_node_goes_as_it_is_with_one_hop_less(bool v6)
    {
        using var pod = WithTunnel();
        foreach (var to in new[] { Address.Remote(v6), Peer(v6) })
        {
            var packet = new Packet { Src = Address.Client(v6), Dst = to };
            var sent = pod.Send(packet);
            Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
            SamePacket.Equal(packet with { Ttl = 63, SrcMac = Macs.TunnelSender, DstMac = Macs.Tunnel }, sent.Packet);
        }
        Assert.Equal("PodEgress.Forwarded=2", pod.Counts());
        pod.SetOverlay(0, 0); // the control: without a tunnel this machine's routes decide, and they know no way
        Assert.Equal(PodPrograms.Ok, pod.Send(new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6) }).ReturnValue);
    }

    [Theory, MemberData(nameof(Families))]
    public void What_is_too_big_is_answered_with_what_fits_whether_it_was_changed_or_not(bool v6)
    {
        using var pod = WithTunnel();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Remote(v6), 80));
        var headers = v6 ? 48 : 28;
        foreach (var to in new[] { Address.Remote(v6), Address.Vip(v6) })
        {
            var packet = new Packet { Src = Address.Client(v6), Dst = to, Protocol = IpProtocol.Udp, Payload = new byte[Mtu - headers] };
            Assert.Equal(packet.Bytes().Length, pod.Send(packet).Packet.Length);
            var answer = pod.Send(packet with { Payload = new byte[Mtu - headers + 1] }).Packet;
            var icmp = v6 ? 54 : 34;
            Assert.Equal(v6 ? [2, 0] : new byte[] { 3, 4 }, answer[icmp..(icmp + 2)]);
            Assert.Equal(Mtu, (answer[icmp + 6] << 8) | answer[icmp + 7]);
        }
        Assert.Equal(2UL, pod.Count(Reason.TooBig));
    }

    [Theory, MemberData(nameof(Families))]
    public void From_outside_only_what_is_for_a_pod_goes_into_the_tunnel(bool v6)
    {
        using var node = WithTunnel();
        node.AddService(Address.At(Node(v6), 30080), IpProtocol.Tcp, Address.At(Address.Remote(v6), 8080));
        var packet = new Packet { Src = v6 ? "2001:db8::9" : "192.0.2.9", Dst = Node(v6), Dport = 30080, DstMac = default };
        var sent = node.Arrive(packet);
        Assert.Equal(PodPrograms.Redirect, sent.ReturnValue);
        SamePacket.Equal(
            packet with { Src = Node(v6), Dst = Address.Remote(v6), Dport = 8080, Ttl = 63, SrcMac = Macs.TunnelSender,
                DstMac = Macs.Tunnel }, sent.Packet);
        // nodes talk to each other plainly: this machine's routes decide
        node.AddService(Address.At(Node(v6), 30081), IpProtocol.Tcp, Address.At(Peer(v6), 8080));
        node.SetOverlay(int.MaxValue, 100);
        Assert.NotEqual(PodPrograms.Shot, node.Arrive(packet with { Dport = 30081 }).ReturnValue);
        Assert.Equal(0UL, node.Count(Reason.TooBig, Hook.UplinkIngress));
        node.Arrive(packet with { Dport = 30080, Sport = 4, Payload = new byte[100] }); // the control: into the tunnel, and too big for it
        Assert.Equal(1UL, node.Count(Reason.TooBig, Hook.UplinkIngress));
    }

    [Fact]
    public void What_is_encapsulated_passes_the_uplink_untouched_and_is_no_connection()
    {
        using var node = WithTunnel(Flags);
        node.AddService(Address.At(Node4, 8472), IpProtocol.Udp, Address.At(Address.Server4, 53));
        var arriving = new Packet { Src = Peer4, Dst = Node4, Protocol = IpProtocol.Udp, Sport = 50000, Dport = 8472, DstMac = default };
        var leaving = new Packet { Src = Node4, Dst = Peer4, Protocol = IpProtocol.Udp, Sport = 50000, Dport = 8472 };
        node.AddService(Address.At(Peer4, 8472), IpProtocol.Udp, Address.At(Address.Server4, 53));
        SamePacket.Equal(arriving, node.Arrive(arriving).Packet);
        SamePacket.Equal(leaving, node.Leave(leaving).Packet);
        Assert.Equal("", node.Counts()); // it is counted where it is not encapsulated
        Assert.Empty(node.Conntrack.ReadAll<CtKey, Ct>());
        // the controls: another port is the service's, and so is this one where there is no tunnel
        node.SetOverlay(Device, Mtu, port: 4789);
        Assert.Equal(PodPrograms.Redirect, node.Arrive(arriving).ReturnValue);
        Assert.Equal(1UL, node.Count(Reason.Service, Hook.UplinkIngress));
        node.Leave(leaving);
        Assert.Equal(1UL, node.Count(Reason.Service, Hook.HostEgress));
    }

    [Theory, MemberData(nameof(Families))]
    public void The_device_addresses_its_frames_to_every_other_one(bool v6)
    {
        using var node = WithTunnel();
        var packet = new Packet { Src = Node(v6), Dst = Address.Remote(v6) };
        var packed = node.Pack(packet);
        Assert.Equal(PodPrograms.Ok, packed.ReturnValue);
        SamePacket.Equal(packet with { SrcMac = Macs.TunnelSender, DstMac = Macs.Tunnel }, packed.Packet);
        Assert.Equal(PodPrograms.Shot, node.Pack(packet with { Dst = v6 ? "fd00:3::1" : "10.3.0.1" }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Pack(packet with { Dst = Address.Client(v6) }).ReturnValue); // here, and through no tunnel
        Assert.Equal("OverlayEgress.Forwarded=1 OverlayEgress.NoTunnel=2", node.Counts());
    }

    [Theory, MemberData(nameof(Families))]
    public void What_came_by_no_tunnel_is_not_believed(bool v6)
    {
        using var node = WithTunnel();
        Assert.Equal(PodPrograms.Shot, node.Unpack(new Packet { Src = Address.Remote(v6), Dst = Address.Client(v6) }).ReturnValue);
        Assert.Equal("OverlayIngress.TunnelPeer=1", node.Counts());
    }
}
