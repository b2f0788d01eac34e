using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>internalTrafficPolicy and externalTrafficPolicy, and who stands in when nobody is ready.</summary>
public abstract class TrafficPolicyTests(ServiceCluster cluster)
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Internal_local_reaches_pods_of_the_own_node_and_nothing_without_any(string protocol)
    {
        await using var service = await TestService.Create(cluster, "internalTrafficPolicy: Local", "a1", "b1", "b2");
        foreach (var address in service.ClusterIPs)
        {
            foreach (var client in new[] { PodA, NodeA })
                await cluster.AnsweredBy(client, protocol, address, 80, "a1");
            foreach (var client in new[] { PodB, NodeB })
                await cluster.AnsweredBy(client, protocol, address, 80, "b1", "b2");
            foreach (var client in new[] { PodC, NodeC })
                await cluster.Dropped(client, protocol, address, 80); // elsewhere there are endpoints: silence, no refusal
        }
        await service.SetBackends();
        await cluster.Refused(PodC, protocol, service.ClusterIPs[0], 80);
        await service.Change("internalTrafficPolicy: Cluster");
        await service.SetBackends("a1");
        await cluster.AnsweredBy(PodC, protocol, service.ClusterIPs[0], 80, "a1");
    }

    [Fact]
    public async Task Internal_local_reaches_endpoints_on_the_nodes_own_network()
    {
        await using var service = await TestService.Create(cluster, "internalTrafficPolicy: Local", "h1", "b1");
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, "tcp", address, 80, "h1");
            await cluster.AnsweredBy(NodeA, "tcp", address, 80, "h1");
            await cluster.AnsweredBy(PodB, "tcp", address, 80, "b1");
        }
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task External_local_keeps_the_source_and_a_node_without_endpoints_drops(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort, externalTrafficPolicy: Local", "a1", "a2", "b1");
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            var asked = await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-a", family), service.NodePort, "a1", "a2");
            Assert.Equal([cluster.SourceOf(World, family)], asked.Peers);
            await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-b", family), service.NodePort, "b1");
            await cluster.Dropped(World, protocol, cluster.NodeAddress("node-c", family), service.NodePort);
        }
        await service.Change("externalTrafficPolicy: Cluster");
        await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-c", "IPv4"), service.NodePort, "a1", "a2", "b1");
    }

    [Fact]
    public async Task Without_endpoints_anywhere_an_external_local_one_refuses()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort, externalTrafficPolicy: Local");
        foreach (var family in new[] { "IPv4", "IPv6" })
            await cluster.Refused(World, "tcp", cluster.NodeAddress("node-c", family), service.NodePort);
    }

    [Fact]
    public async Task Pods_and_nodes_reach_an_external_local_one_everywhere_as_if_it_were_cluster_wide()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "a1", "b1");
        foreach (var client in new[] { PodC, NodeC, PodA })
        {
            // at their own node: at another they are who comes by the network
            var own = client == PodA ? "node-a" : "node-c";
            await cluster.AnsweredBy(client, "tcp", cluster.NodeAddress(own, "IPv4"), service.NodePort, "a1", "b1");
            await cluster.AnsweredBy(client, "tcp", cluster.NodeAddress(own, "IPv6"), service.NodePort, "a1", "b1");
            foreach (var address in service.LoadBalancerIPs)
                await cluster.AnsweredBy(client, "tcp", address, 80, "a1", "b1");
        }
    }

    [Fact]
    public async Task A_load_balancer_with_the_local_policy_leads_only_to_nodes_with_endpoints_and_keeps_the_source()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "b1", "b2");
        foreach (var address in service.LoadBalancerIPs)
        {
            var asked = await cluster.AnsweredBy(World, "tcp", address, 80, "b1", "b2");
            Assert.Equal([cluster.SourceOf(World, FamilyOf(address))], asked.Peers);
        }
        await service.SetBackends("c1");
        foreach (var address in service.LoadBalancerIPs)
            await cluster.AnsweredBy(World, "tcp", address, 80, "c1"); // the balancer has followed the health checks
    }

    [Fact]
    public async Task Cluster_wide_falls_back_to_ending_endpoints()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", TestEndpoint.Ending("b1"));
        await cluster.AnsweredBy(PodC, "tcp", service.ClusterIPs[0], 80, "a1"); // one is ready: it alone
        await service.SetBackends(new TestEndpoint("a1") { Ready = false }, TestEndpoint.Ending("b1"));
        foreach (var address in service.ClusterIPs)
            await cluster.AnsweredBy(PodC, "tcp", address, 80, "b1");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-c", "IPv4"), service.NodePort, "b1");
        await service.SetBackends(new TestEndpoint("b1") { Ready = false, Terminating = true }); // it no longer serves
        await cluster.Refused(PodC, "tcp", service.ClusterIPs[0], 80);
    }

    [Fact]
    public async Task Internal_local_falls_back_to_ending_endpoints_of_the_node()
    {
        await using var service = await TestService.Create(cluster, "internalTrafficPolicy: Local", TestEndpoint.Ending("a1"), "b1");
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, "tcp", address, 80, "a1");
            await cluster.AnsweredBy(PodB, "tcp", address, 80, "b1");
            await cluster.Dropped(PodC, "tcp", address, 80);
        }
        await service.SetBackends(TestEndpoint.Ending("a1"), "a2", "b1");
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 80, "a2");
    }

    [Fact]
    public async Task External_local_falls_back_to_ending_endpoints_of_the_node_for_itself_alone()
    {
        await using var service = await TestService.Create(
            cluster, "type: LoadBalancer, externalTrafficPolicy: Local", TestEndpoint.Ending("a1"), "b1");
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", family), service.NodePort, "a1");
            await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-b", family), service.NodePort, "b1");
            await cluster.Dropped(World, "tcp", cluster.NodeAddress("node-c", family), service.NodePort);
        }
        await cluster.AnsweredBy(PodA, "tcp", service.LoadBalancerIPs[0], 80, "b1"); // the cluster-wide list has a ready one
        foreach (var address in service.LoadBalancerIPs)
        {
            cluster.Cluster.Outside.Route(IPAddress.Parse(address), "node-b");
            await cluster.AnsweredBy(World, "tcp", address, 80, "b1");
        }
    }
}

[Collection(FullServices.Name)]
public sealed class SocketTrafficPolicyTests(FullCluster cluster) : TrafficPolicyTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketTrafficPolicyTests(OffCluster cluster) : TrafficPolicyTests(cluster);
