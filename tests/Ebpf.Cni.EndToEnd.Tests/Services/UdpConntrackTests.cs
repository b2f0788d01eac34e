using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A client that keeps sending from one UDP socket follows its Service, whatever happens to it.</summary>
public abstract class UdpConntrackTests(ServiceCluster cluster)
{
    public static TheoryData<string, bool, string> Clients => new()
    {
        { "pod", false, "IPv4" }, { "pod", true, "IPv6" }, { "node", false, "IPv6" }, { "node", true, "IPv4" },
            { "outside", false, "IPv4" }, { "outside", true, "IPv6" },
    };

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_follows_its_service_to_other_backends_to_none_and_back(string who, bool connected, string family)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "b1");
        var (client, address, port) = Target(service, who, family);
        await cluster.AnsweredBy(client, "udp", address, port, "b1");
        await using var flow = Flow.Start(cluster, client, connected, address, port);
        await flow.Becomes("b1");
        await service.SetBackends("a1"); // on another node
        await flow.Becomes("a1");
        await service.SetBackends("c1", "b2");
        await service.SetBackends("b2");
        await flow.Becomes("b2");
        await service.SetBackends();
        await flow.IsRefused(connected);
        await service.SetBackends("b1");
        await flow.Becomes("b1");
        // an answer that was on its way when its backend left, and its translation with it, may come as it is; no second one
        Assert.InRange(flow.States.Count(state => state.StartsWith("stranger", StringComparison.Ordinal)), 0, 1);
        Assert.True(!connected || flow.States.Contains("reconnected"), "a connected socket is told, and connects anew");
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task One_that_began_before_there_was_an_endpoint_gets_through(string who, bool connected, string family)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", new TestEndpoint("a1") { Ready = false });
        var (client, address, port) = Target(service, who, family);
        await using var flow = Flow.Start(cluster, client, connected, address, port);
        await flow.IsRefused(connected);
        await service.SetBackends("a1");
        await flow.Becomes("a1");
    }

    [Theory]
    [InlineData("pod")]
    [InlineData("node")]
    public async Task It_follows_under_the_internal_local_policy(string who)
    {
        await using var service = await TestService.Create(cluster, "internalTrafficPolicy: Local", "b1");
        await using var flow = Flow.Start(cluster, who == "pod" ? PodB : NodeB, false, service.ClusterIPs[0], 80);
        await flow.Becomes("b1");
        await service.SetBackends("b2", "a1");
        await flow.Becomes("b2");
        await service.SetBackends("a1");
        await flow.Becomes("silence");
        await service.SetBackends("a1", "b1");
        await flow.Becomes("b1");
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task It_follows_the_target_port(string who, bool connected, string family)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "b1");
        var (client, address, port) = Target(service, who, family);
        await using var flow = Flow.Start(cluster, client, connected, address, port);
        await flow.Becomes("b1");
        await service.SetBackends(8089, "b1"); // nobody listens there
        await flow.IsRefused(connected);
        await service.SetBackends(8082, "b1");
        await flow.Becomes("b1");
    }

    [Theory]
    [InlineData("pod")]
    [InlineData("node")]
    [InlineData("outside")]
    public async Task It_is_no_longer_answered_by_a_service_that_was_deleted_and_is_by_its_successor(string who)
    {
        await using var service = await TestService.Create(
            cluster, "type: NodePort, ports: [{name: u, port: 80, protocol: UDP, nodePort: 31900}]", "b1");
        var (client, address, port) = Target(service, who, "IPv4");
        await using var flow = Flow.Start(cluster, client, false, address, port);
        await flow.Becomes("b1");
        await service.DisposeAsync();
        await flow.IsRefused(connected: false);
        await using var successor = await TestService.Create(
            cluster, $"clusterIP: {service.ClusterIPs[0]}, type: NodePort, ports: [{{name: u, port: 80, protocol: UDP, nodePort: 31900}}]",
            "a1");
        await flow.Becomes("a1");
    }

    [Theory]
    [InlineData("pod")]
    [InlineData("node")]
    [InlineData("outside")]
    public async Task It_stays_with_its_backend_while_others_come_and_go(string who)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "b1");
        var (client, address, port) = Target(service, who, "IPv4");
        // The Service may be there a moment before its slice, and refuses then.
        await cluster.AnsweredBy(client, "udp", address, port, "b1");
        await using var flow = Flow.Start(cluster, client, true, address, port);
        await flow.Becomes("b1");
        await service.SetBackends("b1", "a1", "c1");
        await service.SetBackends(TestEndpoint.Ending("b1"), "a1"); // it ends, and still serves
        await cluster.AnsweredBy(PodC, "udp", service.ClusterIPs[0], 80, "a1");
        await flow.Becomes("b1");
        Assert.Single(flow.States);
    }

    private (Client Client, string Address, int Port) Target(TestService service, string who, string family)
    {
        var at = family == "IPv4" ? 0 : 1;
        return who switch
        {
            "pod" => (PodA, service.ClusterIPs[at], 80),
            "node" => (NodeA, service.ClusterIPs[at], 80),
            _ => (World, cluster.NodeAddress("node-a", family), service.NodePort),
        };
    }
}

[Collection(FullServices.Name)]
public sealed class SocketUdpConntrackTests(FullCluster cluster) : UdpConntrackTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketUdpConntrackTests(OffCluster cluster) : UdpConntrackTests(cluster);
