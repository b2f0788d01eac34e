using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Addresses that belong to no node: externalIPs, and what a load balancer gave.</summary>
public abstract class ExternalAddressTests(ServiceCluster cluster)
{
    private static readonly string[] ExternalIPs = ["203.0.113.200", "2001:db8:113::c8"];

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task An_external_ip_that_no_node_has_is_served_by_the_node_it_is_routed_to(string protocol)
    {
        await using var service = await TestService.Create(
            cluster, $"externalIPs: [{string.Join(", ", ExternalIPs.Select(ip => $"'{ip}'"))}]", "a1", "b1");
        foreach (var address in ExternalIPs)
        {
            foreach (var node in new[] { "node-a", "node-c" })
            {
                cluster.Cluster.Outside.Route(IPAddress.Parse(address), node);
                await cluster.AnsweredBy(World, protocol, address, 80, "a1", "b1");
            }
            cluster.Cluster.Outside.Unroute(IPAddress.Parse(address));
            foreach (var client in new[] { PodA, PodC, NodeB })
                await cluster.AnsweredBy(client, protocol, address, 80, "a1", "b1");
        }
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task A_load_balancer_is_reached_by_the_world_by_pods_and_by_nodes(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer", "b1", "c1");
        foreach (var address in service.LoadBalancerIPs)
            foreach (var client in new[] { World, PodA, PodB, NodeA, NodeC })
                await cluster.AnsweredBy(client, protocol, address, 80, "b1", "c1");
    }

    [Fact]
    public async Task One_without_node_ports_works_all_the_same()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, allocateLoadBalancerNodePorts: false", "b1");
        Assert.Equal(0, service.NodePort);
        foreach (var address in service.LoadBalancerIPs)
            await cluster.AnsweredBy(World, "tcp", address, 80, "b1");
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Without_endpoints_it_is_refused_at_once(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer");
        foreach (var address in service.LoadBalancerIPs)
            foreach (var client in new[] { World, PodA, NodeA })
                await cluster.Refused(client, protocol, address, 80);
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Only_clients_in_the_source_ranges_are_let_in_and_node_ports_let_everybody_in(string protocol)
    {
        var (near, far) = (new Client.Outside(7), new Client.Outside(9));
        await using var service = await TestService.Create(
            cluster, "type: LoadBalancer, loadBalancerSourceRanges: [198.51.100.7/32, '2001:db8:51::7/128']", "a1", "b1");
        foreach (var address in service.LoadBalancerIPs)
        {
            await cluster.AnsweredBy(near, protocol, address, 80, "a1", "b1");
            await cluster.Dropped(far, protocol, address, 80);
            await cluster.Dropped(PodB, protocol, address, 80);
        }
        foreach (var family in new[] { "IPv4", "IPv6" })
            await cluster.AnsweredBy(far, protocol, cluster.NodeAddress("node-a", family), service.NodePort, "a1", "b1");
        await service.Change("loadBalancerSourceRanges: [198.51.100.9/32]"); // of one family: nobody of the other
        await cluster.AnsweredBy(far, protocol, service.LoadBalancerIPs[0], 80, "a1", "b1");
        await cluster.Dropped(near, protocol, service.LoadBalancerIPs[0], 80);
        await service.Change($"loadBalancerSourceRanges: [{cluster.AddressOf("client-b", "IPv4")}/32]");
        await cluster.AnsweredBy(PodB, protocol, service.LoadBalancerIPs[0], 80, "a1", "b1");
        await cluster.Dropped(PodA, protocol, service.LoadBalancerIPs[0], 80);
        await service.Change("loadBalancerSourceRanges: []");
        await cluster.AnsweredBy(near, protocol, service.LoadBalancerIPs[1], 80, "a1", "b1");
    }

    [Fact]
    public async Task Type_and_port_change_while_it_lives()
    {
        await using var service = await TestService.Create(cluster, "type: ClusterIP", "b1");
        await service.Change("type: NodePort");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "b1");
        await service.Change("type: LoadBalancer");
        var balanced = service.LoadBalancerIPs[0];
        await cluster.AnsweredBy(World, "tcp", balanced, 80, "b1");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "b1");
        await service.Change(
            "ports: [{name: t, port: 81, targetPort: 8080, protocol: TCP}, {name: u, port: 81, targetPort: 8080, protocol: UDP}]");
        await cluster.AnsweredBy(World, "tcp", balanced, 81, "b1");
        await cluster.AnsweredBy(World, "udp", balanced, 81, "b1");
        await cluster.Silent(World, "tcp", balanced, 80);
        var nodePort = service.NodePort;
        await service.Change("type: ClusterIP");
        await cluster.Silent(World, "tcp", balanced, 81);
        await cluster.Silent(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), nodePort);
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 81, "b1");
    }

    /// <summary>Connections that differ only in what they asked for would be one and the same behind the translation.</summary>
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task One_client_port_talks_to_one_backend_through_several_addresses_at_once(string protocol)
    {
        await using var first = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "a1");
        await using var second = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "a1");
        foreach (var family in new[] { 0, 1 })
        {
            var node = cluster.NodeAddress("node-a", family == 0 ? "IPv4" : "IPv6");
            string[] targets = [$"{first.LoadBalancerIPs[family]},80", $"{second.LoadBalancerIPs[family]},80", $"{node},{first.NodePort}",
                $"{node},{second.NodePort}"];
            foreach (var target in targets)
                await cluster.AnsweredBy(World, protocol, target.Split(',')[0],
                    int.Parse(target.Split(',')[1], System.Globalization.CultureInfo.InvariantCulture), "a1");
            var source = cluster.SourceOf(World, FamilyOf(node));
            var asked = Asked.Parse(await cluster.RunAsync(World, Program("several.py", [protocol, source, "20123", .. targets])));
            Assert.Equal($"a1 node-a {source}: {targets.Length * 3}", asked.ToString());
        }
    }
}

[Collection(FullServices.Name)]
public sealed class SocketExternalAddressTests(FullCluster cluster) : ExternalAddressTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketExternalAddressTests(OffCluster cluster) : ExternalAddressTests(cluster);
