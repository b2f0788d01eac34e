using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A pod sends as itself or not at all.</summary>
public sealed class SourceCheckTests
{
    private static readonly byte[] Broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

    [Theory]
    [InlineData(Address.Server4, Address.Remote4)]
    [InlineData(Address.Server6, Address.Remote6)]
    [InlineData("10.1.0.99", Address.Server4)]
    [InlineData("0.0.0.0", "255.255.255.255")]
    [InlineData("127.0.0.1", Address.Server4)]
    [InlineData("169.254.1.1", Address.Server4)]
    [InlineData("::1", Address.Server6)]
    [InlineData("2001:db8::1", Address.Server6)]
    public void Another_source_address_is_dropped_and_counted(string source, string destination)
    {
        using var pod = new PodPrograms().WithPods();
        foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
            Assert.Equal(PodPrograms.Shot, pod.Send(new Packet { Src = source, Dst = destination, Protocol = protocol }).ReturnValue);
        Assert.Equal("PodEgress.SourceAddress=2", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Its_own_addresses_pass_and_with_another_MAC_do_not(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        var packet = new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6) };
        Assert.Equal(PodPrograms.Ok, pod.Send(packet).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(packet with { SrcMac = Macs.Server }).ReturnValue);
        Assert.Equal("PodEgress.Forwarded=1 PodEgress.SourceMac=1", pod.Counts());
    }

    [Fact]
    public void A_forged_packet_reaches_neither_a_pod_nor_a_service()
    {
        using var pod = new PodPrograms().WithPods();
        pod.AddService(Address.At(Address.Vip4, 80), IpProtocol.Tcp, Address.At(Address.Server4, 80));
        var forged = new Packet { Src = Address.Server4, Dst = Address.Vip4 };
        Assert.Equal(PodPrograms.Shot, pod.Send(forged).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(forged with { Dst = Address.Client4 }).ReturnValue);
        Assert.Empty(pod.Conntrack.ReadAll<CtKey, Ct>());
        Assert.Equal("PodEgress.SourceAddress=2", pod.Counts());
    }

    [Fact]
    public void An_IPv4_address_mapped_into_an_IPv6_packet_is_no_way_around()
    {
        using var pod = new PodPrograms().WithPods();
        var mapped = new Packet { Src = "::ffff:10.1.0.10", Dst = Address.Server6 };
        Assert.Equal(PodPrograms.Shot, pod.Send(mapped).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(mapped with { Src = Address.Client6, Dst = "::ffff:10.96.0.1" }).ReturnValue);
        Assert.Equal("PodEgress.Malformed=2", pod.Counts());
    }

    [Theory]
    [InlineData("fe80::1", "ff02::2", 133, 255)] // router solicitation
    [InlineData("fe80::1", "ff02::1:ff0e:1", 135, 255)]
    [InlineData("fe80::1", "fe80::ecc:1", 136, 255)]
    [InlineData("::", "ff02::1:ff00:10", 135, 255)] // duplicate detection
    [InlineData("fe80::1", "ff02::16", 143, 1)] // multicast membership
    [InlineData("fe80::1", "ff02::1", 134, 255)] // an advertisement would make the pod a router
    [InlineData("fe80::1", "ff02::1", 137, 255)] // redirect
    [InlineData("fe80::1", "fe80::ecc:1", 128, 64)]
    [InlineData("fe80::1", Address.Server6, 135, 255)]
    [InlineData("::", Address.Server6, 128, 64)]
    public void Neighbours_are_permanent_so_nothing_from_a_link_local_source_is_needed(
        string source, string destination, byte type, byte hops)
    {
        using var pod = new PodPrograms().WithPods();
        var packet = new Packet
        {
            Src = source, Dst = destination, Protocol = IpProtocol.IcmpV6, IcmpType = type, Ttl = hops,
            // membership reports carry a router alert
            Extensions = type == 143 ? [new Extension(0, [5, 2, 0, 0, 1, 0])] : [],
        };
        Assert.Equal(PodPrograms.Shot, pod.Send(packet).ReturnValue);
        Assert.Equal("PodEgress.LinkLocal=1", pod.Counts());
        // the control: the pod's own address may ask its gateway
        Assert.Equal(PodPrograms.Ok, pod.Send(packet with { Src = Address.Client6, Dst = "fe80::ecc:1" }).ReturnValue);
    }

    [Fact]
    public void A_connection_from_a_link_local_address_is_dropped()
    {
        using var pod = new PodPrograms().WithPods();
        Assert.Equal(PodPrograms.Shot, pod.Send(new Packet { Src = "fe80::1", Dst = Address.Server6 }).ReturnValue);
        Assert.Equal("PodEgress.LinkLocal=1", pod.Counts());
    }

    [Fact]
    public void ARP_may_claim_the_pods_own_addresses_only()
    {
        using var pod = new PodPrograms().WithPods();
        Assert.Equal(PodPrograms.Ok, pod.Send(Arp(Macs.Client, Macs.Client, Address.Client4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Client, Macs.Client, Address.Server4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Client, Macs.Server, Address.Client4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Server, Macs.Server, Address.Client4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Client, Macs.Client, Address.Client4)[..30]).ReturnValue);
        Assert.Equal("PodEgress.Forwarded=1 PodEgress.SourceAddress=1 PodEgress.SourceMac=2 PodEgress.Malformed=1", pod.Counts());
    }

    [Theory]
    [InlineData(0x88, 0xcc)] // LLDP
    [InlineData(0x81, 0x00)] // a VLAN tag
    [InlineData(0x00, 0x26)] // 802.3, as of spanning tree
    public void What_is_neither_IP_nor_ARP_is_dropped(byte high, byte low)
    {
        using var pod = new PodPrograms().WithPods();
        Assert.Equal(PodPrograms.Shot, pod.Send([.. Broadcast, .. Macs.Client.ToBytes(), high, low, .. new byte[46]]).ReturnValue);
        Assert.Equal("PodEgress.Protocol=1", pod.Counts());
    }

    private static byte[] Arp(MacAddr frame, MacAddr sender, string address) =>
    [
        .. Broadcast, .. frame.ToBytes(), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
        .. sender.ToBytes(), .. System.Net.IPAddress.Parse(address).GetAddressBytes(), 0, 0, 0, 0, 0, 0, 169, 254, 1, 1,
    ];
}
