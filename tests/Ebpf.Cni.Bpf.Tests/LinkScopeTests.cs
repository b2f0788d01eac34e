using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A pod's neighbours are permanent entries: it needs no discovery, and no source address but its own, not even towards its host.
/// </summary>
public sealed class LinkScopeTests
{
    private static readonly byte[] Broadcast = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

    [Theory]
    [InlineData("fe80::1", "ff02::2", 133, 255)] // router solicitation
    [InlineData("::", "ff02::2", 133, 255)]
    [InlineData("fe80::1", "ff02::1", 134, 255)] // router advertisement
    [InlineData("fe80::1", "ff02::1:ff0e:1", 135, 255)] // neighbour solicitation
    [InlineData("::", "ff02::1:ff00:10", 135, 255)] // duplicate detection
    [InlineData("fe80::1", "fe80::ecc:1", 136, 255)] // neighbour advertisement
    [InlineData("fe80::1", "ff02::1", 136, 255)]
    [InlineData("fe80::1", "ff02::1", 137, 255)] // redirect
    [InlineData("fe80::1", "ff02::16", 143, 1)] // multicast membership
    [InlineData("::", "ff02::16", 143, 1)]
    [InlineData("fe80::1", "ff02::fb", 131, 1)]
    [InlineData("fe80::1", "fe80::ecc:1", 128, 64)]
    [InlineData("fe80::1", Address.Server6, 135, 255)]
    [InlineData("::", Address.Server6, 128, 64)]
    public void Link_local_and_unspecified_sources_are_dropped(string source, string destination, byte type, byte hops)
    {
        using var pod = new PodPrograms().WithPods();
        var packet = new Packet
        {
            Src = source, Dst = destination, Protocol = IpProtocol.IcmpV6, IcmpType = type, Ttl = hops,
            // membership reports carry a router alert
            Extensions = type is 143 or 131 ? [new Extension(0, [5, 2, 0, 0, 1, 0])] : [],
        };
        Assert.Equal(PodPrograms.Shot, pod.Send(packet).ReturnValue);
        Assert.Equal("PodEgress.LinkLocal=1", pod.Counts());
        Assert.Equal(PodPrograms.Shot, pod.Send(packet with { SrcMac = Macs.Server }).ReturnValue);
    }

    [Theory, InlineData(IpProtocol.Tcp), InlineData(IpProtocol.Udp)]
    public void Nothing_else_leaves_from_them(IpProtocol protocol)
    {
        using var pod = new PodPrograms().WithPods();
        foreach (var to in new[] { Address.Server6, Address.Remote6, "fe80::ecc:1", "ff02::1" })
            foreach (var source in new[] { "fe80::1", "::" })
                Assert.Equal(PodPrograms.Shot, pod.Send(new Packet { Src = source, Dst = to, Protocol = protocol }).ReturnValue);
        Assert.Equal("PodEgress.LinkLocal=8", pod.Counts());
    }

    [Theory, InlineData("0.0.0.0"), InlineData("169.254.7.7"), InlineData(Address.Gateway4)]
    public void ARP_claims_no_address_that_is_not_the_pods(string sender)
    {
        using var pod = new PodPrograms().WithPods();
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Client, sender)).ReturnValue);
        Assert.DoesNotContain("Forwarded", pod.Counts(), StringComparison.Ordinal);
    }

    /// <summary>The control; the MAC address is checked for them, too.</summary>
    [Fact]
    public void Its_own_addresses_may_speak_to_the_host()
    {
        using var pod = new PodPrograms().WithPods();
        var solicitation = new Packet
        {
            Src = Address.Client6, Dst = "ff02::1:ff0e:1", Protocol = IpProtocol.IcmpV6, IcmpType = 135, Ttl = 255,
        };
        Assert.Equal(PodPrograms.Ok, pod.Send(solicitation).ReturnValue);
        Assert.Equal(PodPrograms.Ok, pod.Send(solicitation with { Dst = "fe80::ecc:1" }).ReturnValue);
        Assert.Equal(PodPrograms.Ok, pod.Send(Arp(Macs.Client, Address.Client4)).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(solicitation with { SrcMac = Macs.Server }).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(Arp(Macs.Server, Address.Client4)).ReturnValue);
        Assert.Equal("PodEgress.Forwarded=3 PodEgress.SourceMac=2", pod.Counts());
    }

    private static byte[] Arp(MacAddr from, string sender) =>
    [
        .. Broadcast, .. from.ToBytes(), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1,
        .. from.ToBytes(), .. System.Net.IPAddress.Parse(sender).GetAddressBytes(), 0, 0, 0, 0, 0, 0, 169, 254, 1, 1,
    ];
}
