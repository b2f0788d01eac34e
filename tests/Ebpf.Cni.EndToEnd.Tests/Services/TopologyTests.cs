using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Endpoints near the client are preferred if their hints say so, and nobody is left without.</summary>
public abstract class TopologyTests(ServiceCluster cluster)
{
    [Fact]
    public async Task The_same_zone_is_preferred_and_another_serves_when_it_has_none()
    {
        await using var service = await TestService.Create(
            cluster, "trafficDistribution: PreferSameZone", East("a1"), East("b1"), West("c1"));
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, "tcp", address, 80, "a1", "b1");
            await cluster.AnsweredBy(NodeB, "tcp", address, 80, "a1", "b1");
            await cluster.AnsweredBy(PodC, "tcp", address, 80, "c1");
        }
        await service.SetBackends(East("a1"), East("b1"));
        await cluster.AnsweredBy(PodC, "tcp", service.ClusterIPs[0], 80, "a1", "b1");
    }

    [Fact]
    public async Task The_same_node_is_preferred_then_the_zone_then_anyone()
    {
        await using var service = await TestService.Create(cluster, "trafficDistribution: PreferSameNode", Here("a1", "node-a"),
            Here("b1", "node-b"), West("c1") with { ForNode = "node-c" });
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, "tcp", address, 80, "a1");
            await cluster.AnsweredBy(PodB, "udp", address, 80, "b1");
            await cluster.AnsweredBy(NodeC, "tcp", address, 80, "c1");
        }
        await service.SetBackends(Here("b1", "node-b"), West("c1") with { ForNode = "node-c" });
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 80, "b1"); // of its zone
        await service.SetBackends(Here("a1", "node-a"), Here("b1", "node-b"));
        await cluster.AnsweredBy(PodC, "tcp", service.ClusterIPs[0], 80, "a1", "b1");
    }

    [Fact]
    public async Task One_endpoint_without_a_hint_makes_all_hints_void()
    {
        await using var service = await TestService.Create(cluster, "", East("a1"), West("c1"), "b1");
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 80, "a1", "b1", "c1");
        await service.SetBackends(East("a1"), West("c1"), new TestEndpoint("b1") { Ready = false }); // not of one that does not count
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 80, "a1");
    }

    [Fact]
    public async Task The_world_is_sent_near_the_node_it_asks()
    {
        await using var service = await TestService.Create(
            cluster, "type: NodePort, trafficDistribution: PreferSameZone", East("a1"), East("b1"), West("c1"));
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "a1", "b1");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-c", "IPv6"), service.NodePort, "c1");
    }

    private static TestEndpoint East(string pod) => new(pod) { ForZone = "east" };

    private static TestEndpoint West(string pod) => new(pod) { ForZone = "west" };

    private static TestEndpoint Here(string pod, string node) => East(pod) with { ForNode = node };
}

[Collection(FullServices.Name)]
public sealed class SocketTopologyTests(FullCluster cluster) : TopologyTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketTopologyTests(OffCluster cluster) : TopologyTests(cluster);
