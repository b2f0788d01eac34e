using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>Where a node has neighbours.</summary>
public class OnLinkNetworksTests
{
    private static readonly NodeNetworkState Facts = new(
        [Link(2), Link(3), Link(4, ethernet: false), Link(5)],
        [
            Address(2, "192.0.2.7", 24), Address(2, "192.0.2.8", 24), Address(2, "2001:db8::7", 64), Address(2, "fe80::7", 64),
            Address(3, "10.128.0.7", 32), Address(3, "2001:db8:1::7", 128), Address(4, "10.9.0.1", 24), Address(5, "172.17.0.1", 16),
        ],
        []);

    [Fact]
    public void They_are_those_of_the_uplinks_addresses() => Assert.Equal(["192.0.2.0/24", "2001:db8::/64"], Of(2));

    [Fact]
    public void A_single_address_has_no_neighbours() => Assert.Empty(Of(3));

    [Fact]
    public void Without_a_layer_2_there_are_none() => Assert.Empty(Of(4));

    [Fact]
    public void Several_uplinks_are_one_list_in_order() => Assert.Equal(["172.17.0.0/16", "192.0.2.0/24", "2001:db8::/64"], Of(5, 4, 3, 2));

    private static IEnumerable<string> Of(params int[] uplinks) => OnLinkNetworks.Of(Facts, uplinks).Select(n => n.ToString());

    private static LinkInfo Link(int index, bool ethernet = true) => new(index, $"eth{index}") { Up = true, Ethernet = ethernet };

    private static AddressInfo Address(int ifindex, string address, int length) => new(ifindex, IPAddress.Parse(address), length);
}
