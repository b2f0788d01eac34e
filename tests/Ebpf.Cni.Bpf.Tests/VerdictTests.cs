using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// "Not ours" is TC_ACT_UNSPEC in every program: any other verdict ends the device's chain before the next program and the clsact
/// filters.
/// </summary>
public sealed class VerdictTests
{
    private static readonly MacAddr Everyone = MacAddr.Parse("ff:ff:ff:ff:ff:ff");

    public static TheoryData<bool, IpProtocol> Kinds => new()
    {
        { false, IpProtocol.Tcp }, { false, IpProtocol.Udp }, { true, IpProtocol.Tcp }, { true, IpProtocol.Udp },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void From_a_pod_what_is_for_its_node_goes_on(bool v6, IpProtocol protocol)
    {
        using var node = Node(PodPrograms.Usual | ConfigFlags.Masquerade);
        var packet = new Packet { Src = Address.Client(v6), Dst = Town.NodeAddress(v6), Protocol = protocol };
        Assert.Equal(Verdicts.GoOn, node.Send(packet).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Send(packet with { Dst = v6 ? "ff02::1" : "224.0.0.1" }).ReturnValue);
        // the controls: to a pod, and with another's address
        Assert.Equal(PodPrograms.Redirect, node.Send(packet with { Dst = Address.Server(v6) }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Send(packet with { Src = Address.Server(v6) }).ReturnValue);
    }

    [Fact]
    public void From_a_pod_ARP_goes_on()
    {
        using var node = Node(PodPrograms.Usual);
        Assert.Equal(Verdicts.GoOn, node.Send(Arp(Macs.Client, Address.Client4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Send(Arp(Macs.Client, Address.Server4)).ReturnValue); // the control
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Behind_another_plugin_what_is_no_services_goes_on_whatever_its_source(bool v6, IpProtocol protocol)
    {
        using var node = Node(PodPrograms.Usual | ConfigFlags.Chained);
        var packet = new Packet { Src = Address.Client(v6), Dst = Address.Server(v6), Protocol = protocol };
        Assert.Equal(Verdicts.GoOn, node.Send(packet).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Send(packet with { Src = Address.Remote(v6), SrcMac = Macs.Server }).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Send(Arp(Macs.Server, Address.Remote4)).ReturnValue);
        node.AddService(Address.At(Address.Vip(v6), 80), protocol, Address.At(Address.Server(v6), 8080)); // the control
        Assert.Equal(PodPrograms.Redirect, node.Send(packet with { Dst = Address.Vip(v6) }).ReturnValue);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void To_a_pod_it_goes_on(bool v6, IpProtocol protocol)
    {
        foreach (var flags in new[] { PodPrograms.Usual, PodPrograms.Usual | ConfigFlags.Chained, ConfigFlags.None })
        {
            using var node = Node(flags);
            var packet = new Packet { Src = Town.NodeAddress(v6), Dst = Address.Client(v6), Protocol = protocol };
            Assert.Equal(Verdicts.GoOn, node.Receive(packet).ReturnValue);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void From_the_network_what_is_for_the_node_another_machine_or_the_link_goes_on(bool v6, IpProtocol protocol)
    {
        using var node = Node(PodPrograms.Usual | ConfigFlags.Masquerade);
        var packet = new Packet { Src = Town.OutsideAddress(v6), Dst = Town.NodeAddress(v6), Protocol = protocol, DstMac = default };
        Assert.Equal(Verdicts.GoOn, node.Arrive(packet).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Arrive(packet with { Dst = v6 ? "ff02::1" : "224.0.0.1" }).ReturnValue);
        // to another machine: a promiscuous device sees it
        Assert.Equal(Verdicts.GoOn, node.Arrive((packet with { DstMac = Macs.Server }).Bytes()).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Arrive(Arp(Macs.Server, Town.Peer4)).ReturnValue);
        Assert.Equal(PodPrograms.Redirect, node.Arrive(packet with { Dst = Address.Server(v6) }).ReturnValue); // the control
    }

    [Theory, InlineData(false), InlineData(true)]
    public void From_the_network_what_is_encapsulated_for_the_node_goes_on(bool v6)
    {
        using var node = Node(PodPrograms.Usual);
        node.SetOverlay(99, 1400);
        var packet = new Packet { Src = Town.PeerAddress(v6), Dst = Town.NodeAddress(v6), Protocol = IpProtocol.Udp, Dport = 8472 };
        Assert.Equal(Verdicts.GoOn, node.Arrive(packet).ReturnValue);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Sent_by_the_node_what_is_no_services_goes_on(bool v6, IpProtocol protocol)
    {
        using var node = Node(PodPrograms.Usual);
        var packet = new Packet { Src = Town.NodeAddress(v6), Dst = Town.OutsideAddress(v6), Protocol = protocol };
        Assert.Equal(Verdicts.GoOn, node.Leave(packet).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Leave(packet with { Dst = v6 ? "ff02::1" : "224.0.0.1" }).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Leave(Arp(Macs.Server, Town.Node4)).ReturnValue);
    }

    /// <summary>
    /// On its way to the peer too: the encapsulated packet is the device's to send, and filters of the device may look at it.
    /// </summary>
    [Theory, MemberData(nameof(Kinds))]
    public void Into_the_tunnel_it_goes_on(bool v6, IpProtocol protocol)
    {
        using var node = Node(PodPrograms.Usual);
        node.SetOverlay(99, 1400);
        node.AddTunnelled(v6 ? "fd00:2::/64" : "10.2.0.0/16", IpcacheFlags.Pod, Town.Peer4);
        var packet = new Packet { Src = Town.NodeAddress(v6), Dst = Address.Remote(v6), Protocol = protocol };
        Assert.Equal(Verdicts.GoOn, node.Pack(packet).ReturnValue);
        Assert.Equal(Verdicts.GoOn, node.Pack(packet with { Dst = v6 ? "ff02::1" : "224.0.0.1" }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, node.Pack(packet with { Dst = Address.Server(v6) }).ReturnValue); // the control: through no tunnel
    }

    private static PodPrograms Node(ConfigFlags flags)
    {
        var programs = new PodPrograms(flags).WithPods();
        programs.SetUplink(0, Town.Node4, Town.Node6);
        foreach (var prefix in new[] { "10.1.0.0/16", "fd00:1::/64" })
            programs.AddCluster(prefix, IpcacheFlags.Pod);
        foreach (var address in new[] { Town.Node4, Town.Peer4 })
            programs.AddCluster(address + "/32", IpcacheFlags.Node);
        foreach (var address in new[] { Town.Node6, Town.Peer6 })
            programs.AddCluster(address + "/128", IpcacheFlags.Node);
        return programs;
    }

    /// <summary>A request of this sender.</summary>
    private static byte[] Arp(MacAddr sender, string address) =>
    [
        .. Everyone.ToBytes(), .. sender.ToBytes(), 0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, .. sender.ToBytes(),
        .. System.Net.IPAddress.Parse(address).GetAddressBytes(), .. new byte[6],
        .. System.Net.IPAddress.Parse(Address.Gateway4).GetAddressBytes(),
    ];
}
