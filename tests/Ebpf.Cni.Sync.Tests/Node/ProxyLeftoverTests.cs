using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Tests.Node;

/// <summary>What kube-proxy in its IPVS mode leaves: a device full of services' addresses.</summary>
public class ProxyLeftoverTests
{
    private static readonly NodeNetworkState Clean = new(
        [new(1, "lo") { Up = true }, new(2, "eth0") { Up = true, Ethernet = true }], [Address(2, "192.0.2.1")],
        [new(IPNetwork.Parse("0.0.0.0/0"), 2)]);

    [Theory]
    [InlineData("kube-ipvs0", true)]
    [InlineData("kube-dummy-if", true)]
    [InlineData("mine0", false)] // control: somebody's own addresses are the node's
    public void Its_addresses_are_not_the_nodes_and_it_is_named(string name, bool leftover)
    {
        var facts = Clean with
        {
            Links = Clean.Links.Add(new(3, name) { Up = true, Ethernet = true, Kind = "dummy" }),
            Addresses = [.. Clean.Addresses, Address(3, "10.96.7.9"), Address(3, "10.96.7.10")],
        };
        var (own, leftovers) = ProxyLeftover.Split(facts);
        var network = NodeAddressing.Of(own, ["192.0.2.1"], new("n"), UplinkMemory.None);
        Assert.Equal(leftover ? ["192.0.2.1"] : ["10.96.7.9", "10.96.7.10", "192.0.2.1"], network.Addresses.Select(a => a.ToString()));
        Assert.Equal(leftover ? [new ProxyLeftover(name, 2)] : [], leftovers);
        Assert.All(leftovers, l => Assert.Contains($"ip link delete {name}", l.Message, StringComparison.Ordinal));
        Assert.Same(Clean, ProxyLeftover.Split(Clean).State);
    }

    private static AddressInfo Address(int ifindex, string address) => new(ifindex, IPAddress.Parse(address), 32) { Permanent = true };
}
