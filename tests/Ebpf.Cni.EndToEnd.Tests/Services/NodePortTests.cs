using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>The same port on every node, wherever the backends are.</summary>
public abstract class NodePortTests(ServiceCluster cluster)
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Every_node_answers_the_world_in_both_families_with_backends_anywhere(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", "b1");
        foreach (var address in cluster.NodeAddresses)
            await cluster.AnsweredBy(World, protocol, address, service.NodePort, "a1", "b1");
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Pods_and_nodes_reach_it_at_every_node(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "b1", "c1");
        foreach (var node in cluster.Cluster.NodeNames)
            foreach (var client in new[] { PodA, PodB, NodeA, NodeB })
                await cluster.AnsweredBy(client, protocol, cluster.NodeAddress(node, protocol == "tcp" ? "IPv4" : "IPv6"), service.NodePort,
                    "b1", "c1");
    }

    [Fact]
    public async Task A_node_reaches_it_at_its_own_loopback_and_nobody_elses()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "b1");
        await cluster.AnsweredBy(NodeA, "tcp", "127.0.0.1", service.NodePort, "b1");
        await cluster.AnsweredBy(NodeA, "udp", "127.0.0.1", service.NodePort, "b1");
        await cluster.Refused(PodA, "tcp", "127.0.0.1", service.NodePort); // its own loopback: nobody listens there
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task The_backend_sees_the_node_that_was_asked(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", "b1");
        foreach (var family in new[] { "IPv4", "IPv6" })
            foreach (var node in new[] { "node-a", "node-c" })
            {
                var asked = await cluster.AnsweredBy(World, protocol, cluster.NodeAddress(node, family), service.NodePort, "a1", "b1");
                Assert.Equal([cluster.NodeAddress(node, family)], asked.Peers);
            }
    }

    [Fact]
    public async Task One_number_serves_two_protocols()
    {
        await using var service = await TestService.Create(
            cluster, "type: NodePort, ports: [{name: t, port: 80, protocol: TCP, nodePort: 31053}, {name: u, port: 80, protocol: UDP, "
                + "nodePort: 31053}]", "b1");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), 31053, "b1");
        await cluster.AnsweredBy(World, "udp", cluster.NodeAddress("node-a", "IPv4"), 31053, "b1");
    }

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Without_endpoints_it_is_refused_at_once(string protocol)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort");
        foreach (var address in new[] { cluster.NodeAddress("node-a", "IPv4"), cluster.NodeAddress("node-b", "IPv6") })
            foreach (var client in new[] { World, PodA, NodeA })
                await cluster.Refused(client, protocol, address, service.NodePort);
    }

    [Fact]
    public async Task A_changed_number_answers_and_the_old_one_does_not_and_neither_does_one_of_a_deleted_service()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort, ports: [{name: t, port: 80, nodePort: 31100}]", "b1");
        var address = cluster.NodeAddress("node-a", "IPv4");
        await cluster.AnsweredBy(World, "tcp", address, 31100, "b1");
        await service.Change("ports: [{name: t, port: 80, nodePort: 31101}]");
        await cluster.AnsweredBy(World, "tcp", address, 31101, "b1");
        await cluster.Silent(World, "tcp", address, 31100);
        await service.DisposeAsync();
        await cluster.Silent(World, "tcp", address, 31101);
    }

    [Theory]
    [InlineData("tcp", 200_000)]
    [InlineData("udp", 1_400)]
    public async Task Large_questions_and_answers_arrive_whole(string protocol, int bytes)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", "b1");
        foreach (var address in new[] { cluster.NodeAddress("node-a", "IPv4"), cluster.NodeAddress("node-a", "IPv6") })
        {
            await cluster.AnsweredBy(World, protocol, address, service.NodePort, "a1", "b1");
            Assert.Equal("whole: 20", (await cluster.Ask(World, protocol, address, service.NodePort, 20, 5, "--bytes", $"{bytes}"))
                .ToString());
        }
    }

    [Fact]
    public async Task An_endpoint_on_a_nodes_own_network_is_reached_from_outside_through_any_node()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "h1");
        foreach (var address in cluster.NodeAddresses)
            await cluster.AnsweredBy(World, "tcp", address, service.NodePort, "h1");
    }
}

[Collection(FullServices.Name)]
public sealed class SocketNodePortTests(FullCluster cluster) : NodePortTests(cluster)
{
    private readonly FullCluster _cluster = cluster;

    [Fact]
    public async Task A_nodes_process_cannot_take_a_number_that_a_service_has_and_a_pods_can()
    {
        await using var service = await TestService.Create(_cluster, "type: NodePort", "b1");
        await _cluster.AnsweredBy(World, "tcp", _cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "b1");
        Assert.NotEqual("bound", await Bind(NodeA, service.NodePort));
        Assert.Equal("bound", await Bind(PodA, service.NodePort));
        Assert.Equal("bound", await Bind(NodeA, service.NodePort - 1000)); // the control
        await service.DisposeAsync();
        // its slice may be gone a moment before the Service is
        await Eventually.True(async () => await Bind(NodeA, service.NodePort) == "bound", "the number is free again");
    }

    private async Task<string> Bind(Client client, int port)
    {
        const string program = """
            import socket, sys
            try:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    for family, any in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                        with socket.socket(family, kind) as s:
                            # as every server does: the number may have been a health check port, whose connections linger in TIME_WAIT
                            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                            s.bind((any, int(sys.argv[1])))
                print("bound")
            except OSError as e:
                print(e)
            """;
        return (await _cluster.RunAsync(client, ["python3", "-c", program, $"{port}"])).ThrowIfFailed().Output.Trim();
    }
}

[Collection(OffServices.Name)]
public sealed class PacketNodePortTests(OffCluster cluster) : NodePortTests(cluster);
