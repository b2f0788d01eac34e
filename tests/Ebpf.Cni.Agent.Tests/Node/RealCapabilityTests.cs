using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Cni;
using Ebpf.Cni.Agent.Node;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Plugin.Protocol;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Node;

/// <summary>What a runtime may ask for, and what is left of what nobody remembers, in the kernel.</summary>
public class RealCapabilityTests
{
    private const string Limited =
        ",\"runtimeConfig\":{\"bandwidth\":{\"ingressRate\":80000000,\"ingressBurst\":8,\"egressRate\":16000000,\"egressBurst\":160000}}";

    [Fact]
    public async Task A_MAC_address_and_addresses_that_were_asked_for_are_the_pods_everywhere()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        const string asked = ",\"runtimeConfig\":{\"mac\":\"c2:11:22:33:44:55\",\"ips\":[\"10.201.0.77\",\"fd00:201::77\"]}";
        var answer = await node.Run("ADD", "a", asked);
        var mac = MacAddr.Parse("c2:11:22:33:44:55");
        using (var netlink = RouteNetlink.Open(pod))
        {
            var link = netlink.FindLink("eth0")!;
            Assert.Equal(mac, MacAddr.FromBytes(link.Mac));
            Assert.Contains(netlink.Addresses(link.Index), a => a.Address.Equals(IPAddress.Parse("10.201.0.77")));
        }

        // The source check follows, and so does delivery.
        Assert.Equal(mac, node.Dataplane.Endpoints.List().Single().PodMac);
        Assert.Equal("{}", (await node.Run("CHECK", "a", $",\"prevResult\":{answer.GetProperty("result").GetRawText()}")).GetRawText());
        await node.Run("DEL", "a");
    }

    [Fact]
    public async Task Rates_are_queues_on_both_sides_and_an_ADD_without_them_takes_them_off()
    {
        Requires.Root();
        using var node = new RealNode();
        var pod = node.Pod("a");
        var previous = $",\"prevResult\":{(await node.Run("ADD", "a", Limited)).GetProperty("result").GetRawText()}";
        Assert.Equal((10_000_000UL, 2_000_000UL), (HostRate(node), PodRate(pod)));
        Assert.True(node.Dataplane.Endpoints.List().Single().Queued);
        await node.Run("CHECK", "a", previous);
        node.Restart();
        Assert.True(node.Dataplane.Endpoints.List().Single().Queued);
        using (var netlink = RouteNetlink.Open(pod))
            netlink.DeleteRootQueue(netlink.FindLink("eth0")!.Index, PodShaping.Handle);
        var error = await Assert.ThrowsAsync<CniException>(() => node.Run("CHECK", "a", previous));
        Assert.Contains("bytes a second", error.Message, StringComparison.Ordinal);
        await node.Run("ADD", "a", Limited);
        await node.Run("CHECK", "a", previous);
        await node.Run("ADD", "a");
        Assert.Equal((0UL, 0UL), (HostRate(node), PodRate(pod)));
        Assert.False(node.Dataplane.Endpoints.List().Single().Queued);
        await node.Run("DEL", "a");
    }

    [Fact]
    public async Task A_start_removes_what_is_ours_without_a_record_and_nothing_else()
    {
        Requires.Root();
        using var node = new RealNode();
        node.Pod("a");
        node.Pod("b");
        await node.Run("ADD", "a");
        await node.Run("ADD", "b");
        var (a, b) = (new EndpointKey("a", "eth0").HostInterface, new EndpointKey("b", "eth0").HostInterface);
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            // By name it could be ours; it does not say so.
            netlink.AddVeth("ecni0123456789a", "other");
            var link = netlink.FindLink(a)!.Index;
            netlink.ReplaceRoute(new Route(IPNetwork.Parse("10.201.0.250/32"), link) { Protocol = PodWiring.RouteProtocol });
            netlink.ReplaceNeighbour(link, IPAddress.Parse("10.201.0.250"), [2, 0, 0, 0, 0, 1]);
        });
        // The record is lost, the interface is not.
        File.Delete(node.Files.Single(f => f.Contains(new EndpointKey("b", "eth0").Hash, StringComparison.Ordinal)));
        node.Restart();
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var names = netlink.Links().Select(l => l.Name).ToList();
            Assert.Contains(a, names);
            Assert.Contains("ecni0123456789a", names);
            Assert.DoesNotContain(b, names);
            Assert.DoesNotContain(netlink.Routes(PodWiring.RouteProtocol), r => r.Destination.BaseAddress.Equals(IPAddress.Parse("10.201.0.250")));
            Assert.DoesNotContain(netlink.Neighbours(), n => n.Address.Equals(IPAddress.Parse("10.201.0.250")));
        });
        Assert.Single(node.Dataplane.Endpoints.List());
        Assert.Equal([a], node.Dataplane.Pods.List());
        await node.Run("DEL", "a");
    }

    private static ulong HostRate(RealNode node) => node.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return Rate(netlink, new EndpointKey("a", "eth0").HostInterface);
    });

    private static ulong PodRate(Kernel.Namespaces.NetworkNamespace pod)
    {
        using var netlink = RouteNetlink.Open(pod);
        return Rate(netlink, "eth0");
    }

    private static ulong Rate(RouteNetlink netlink, string name) => netlink.Queues(netlink.FindLink(name)!.Index).Select(q => q.Rate).DefaultIfEmpty().Max();
}
