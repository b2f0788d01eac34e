using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Store;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Addresses inside the cluster: who answers, who is refused, and what the backend sees.</summary>
public abstract class ClusterIPTests(ServiceCluster cluster)
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task The_source_address_of_a_pod_is_preserved(string protocol)
    {
        await using var service = await TestService.Create(cluster, "", "a1", "b1");
        foreach (var address in service.ClusterIPs)
            foreach (var client in new[] { PodA, PodC })
            {
                var asked = await cluster.AnsweredBy(client, protocol, address, 80, "a1", "b1");
                Assert.Equal([cluster.SourceOf(client, FamilyOf(address))], asked.Peers);
            }
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task A_pod_reaches_itself_through_its_service(string protocol)
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        foreach (var address in service.ClusterIPs)
            await cluster.AnsweredBy(new Client.Pod("a1"), protocol, address, 80, "a1");
    }

    [Fact]
    public async Task Nodes_and_pods_of_every_node_reach_it_over_both_protocols()
    {
        await using var service = await TestService.Create(cluster, "", "b1", "c1");
        foreach (var address in service.ClusterIPs)
            foreach (var client in new[] { PodA, PodB, NodeA, NodeB })
                foreach (var protocol in new[] { "tcp", "udp" })
                    await cluster.AnsweredBy(client, protocol, address, 80, "b1", "c1");
    }

    [Fact]
    public async Task Services_come_and_go_without_touching_each_other()
    {
        await using var first = await TestService.Create(cluster, "", "a1");
        await using var second = await TestService.Create(cluster, "", "b1");
        await cluster.AnsweredBy(PodA, "tcp", first.ClusterIPs[0], 80, "a1");
        await cluster.AnsweredBy(PodA, "tcp", second.ClusterIPs[0], 80, "b1");
        await first.DisposeAsync();
        await cluster.Silent(PodA, "tcp", first.ClusterIPs[0], 80);
        await cluster.AnsweredBy(PodA, "tcp", second.ClusterIPs[0], 80, "b1");
        await using var again = await TestService.Create(cluster, $"clusterIP: {first.ClusterIPs[0]}", "c1");
        await cluster.AnsweredBy(PodA, "tcp", first.ClusterIPs[0], 80, "c1"); // recreated at the address it had
        await cluster.AnsweredBy(PodA, "tcp", second.ClusterIPs[0], 80, "b1");
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Without_endpoints_it_is_refused_at_once(string protocol)
    {
        await using var service = await TestService.Create(cluster);
        foreach (var address in service.ClusterIPs)
            foreach (var client in new[] { PodA, NodeA })
                await cluster.Refused(client, protocol, address, 80);
        await service.SetBackends("a1");
        await cluster.AnsweredBy(PodA, protocol, service.ClusterIPs[0], 80, "a1"); // the control
    }

    [Fact]
    public async Task Ports_that_it_does_not_have_are_refused()
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, "tcp", address, 80, "a1");
            await cluster.Refused(PodA, "tcp", address, 81);
            await cluster.Refused(PodA, "udp", address, 81);
        }
    }

    [Fact]
    public async Task One_port_of_two_protocols_leads_to_different_backends()
    {
        await using var service = await TestService.Create(cluster,
            "ports: [{name: t, port: 53, protocol: TCP, targetPort: 8080}, {name: u, port: 53, protocol: UDP, targetPort: 8080}]", "a1");
        var only = (await cluster.Cluster.Client.GetAsync(
            ResourceTypes.EndpointSlices, "default", service.Name + "-ipv4"))["ports"]!.AsArray();
        only.RemoveAt(1); // UDP has no endpoints
        await cluster.Cluster.Client.PatchAsync(
            ResourceTypes.EndpointSlices, "default", service.Name + "-ipv4", new() { ["ports"] = only.DeepClone() });
        await cluster.Refused(PodA, "udp", service.ClusterIPs[0], 53);
        await cluster.AnsweredBy(PodA, "tcp", service.ClusterIPs[0], 53, "a1");
        await cluster.AnsweredBy(PodA, "udp", service.ClusterIPs[1], 53, "a1");
    }

    [Theory]
    [InlineData("service.kubernetes.io/service-proxy-name", "another")]
    [InlineData("service.kubernetes.io/headless", "")]
    public async Task One_that_is_anothers_business_is_left_alone(string label, string value)
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
        await service.Label(label, value);
        await cluster.Silent(PodB, "tcp", service.ClusterIPs[0], 80);
        await service.Label(label, null);
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
    }

    [Fact]
    public async Task Endpoints_that_are_not_ready_get_nothing_unless_they_are_published()
    {
        await using var service = await TestService.Create(
            cluster, "", new TestEndpoint("a1") { Ready = false }, new TestEndpoint("b1") { Ready = false, Terminating = true });
        await cluster.Refused(PodB, "tcp", service.ClusterIPs[0], 80);
        // As publishNotReadyAddresses has them
        await service.SetBackends(new TestEndpoint("a1") { Serving = false },
            new TestEndpoint("b1") { Serving = false, Terminating = true });
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1", "b1");
    }

    [Fact]
    public async Task Target_ports_differ_between_backends_of_one_service()
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        var other = await cluster.Cluster.Client.GetAsync(ResourceTypes.EndpointSlices, "default", service.Name + "-ipv4");
        var name = service.Name + "-other";
        other["metadata"] = new System.Text.Json.Nodes.JsonObject
            { ["name"] = name, ["labels"] = other["metadata"]!["labels"]!.DeepClone() };
        other["endpoints"]![0]!["addresses"]![0] = cluster.AddressOf("b1", "IPv4");
        other["endpoints"]![0]!["nodeName"] = "node-b";
        foreach (var port in other["ports"]!.AsArray())
            port!["port"] = 8082;
        await cluster.Cluster.Client.CreateAsync(ResourceTypes.EndpointSlices, "default", other);
        await cluster.AnsweredBy(PodC, "tcp", service.ClusterIPs[0], 80, "a1", "b1");
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.EndpointSlices, "default", name);
        await cluster.AnsweredBy(PodC, "tcp", service.ClusterIPs[0], 80, "a1");
    }

    [Fact]
    public async Task Its_type_changes_to_external_name_and_back()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1");
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
        var (address, nodePort) = (service.ClusterIPs[0], service.NodePort);
        await service.Change("type: ExternalName, externalName: there.example");
        await cluster.Silent(PodB, "tcp", address, 80);
        await cluster.Silent(PodB, "tcp", cluster.NodeAddress("node-a", "IPv4"), nodePort);
        await service.Change("type: NodePort");
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
        await cluster.AnsweredBy(PodB, "tcp", cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "a1");
        await service.Change("type: ClusterIP");
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
        await cluster.Silent(PodB, "tcp", cluster.NodeAddress("node-a", "IPv4"), nodePort);
    }

    [Fact]
    public async Task Endpoints_on_the_nodes_own_network_are_reached()
    {
        await using var service = await TestService.Create(cluster, "", "h1");
        foreach (var address in service.ClusterIPs)
            foreach (var client in new[] { PodA, PodB, NodeA, NodeB })
            {
                await cluster.AnsweredBy(client, "tcp", address, 80, "h1");
                await cluster.AnsweredBy(client, "udp", address, 80, "h1");
            }
    }

    [Theory]
    [InlineData("tcp", 200_000)]
    [InlineData("udp", 8_000)] // in fragments
    public async Task Large_questions_and_answers_arrive_whole(string protocol, int bytes)
    {
        await using var service = await TestService.Create(cluster, "", "a1", "b1");
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(PodA, protocol, address, 80, "a1", "b1");
            var asked = await cluster.Ask(PodA, protocol, address, 80, 20, 5, "--bytes", $"{bytes}");
            Assert.Equal("whole: 20", asked.ToString());
        }
    }

    [Fact]
    public async Task Two_services_share_their_backends()
    {
        await using var first = await TestService.Create(cluster, "", "a1", "b1");
        await using var second = await TestService.Create(cluster, "", "a1", "b1");
        await cluster.AnsweredBy(PodC, "tcp", first.ClusterIPs[0], 80, "a1", "b1");
        await cluster.AnsweredBy(PodC, "tcp", second.ClusterIPs[0], 80, "a1", "b1");
        await first.SetBackends("c1");
        await cluster.AnsweredBy(PodC, "tcp", first.ClusterIPs[0], 80, "c1");
        await cluster.AnsweredBy(PodC, "tcp", second.ClusterIPs[0], 80, "a1", "b1");
    }
}

[Collection(FullServices.Name)]
public sealed class SocketClusterIPTests(FullCluster cluster) : ClusterIPTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketClusterIPTests(OffCluster cluster) : ClusterIPTests(cluster);
