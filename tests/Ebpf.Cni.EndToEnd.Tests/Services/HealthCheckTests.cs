using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>healthCheckNodePort: what tells a load balancer which nodes have endpoints.</summary>
[Collection(FullServices.Name)]
public sealed class HealthCheckTests(FullCluster cluster)
{
    [Fact]
    public async Task A_node_is_healthy_if_it_has_a_ready_endpoint_and_not_because_of_one_that_ends()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "a1", "a2", "b1");
        await Health(service, "200 503".Split(' '), "node-a", "node-c");
        await Health(service, ["200"], "node-b");
        Assert.Contains("\"localEndpoints\": 2", (await Ask(service, "node-a")).Replace("\":2", "\": 2", StringComparison.Ordinal),
            StringComparison.Ordinal);
        await service.SetBackends(TestEndpoint.Ending("a1"), "b1");
        await Health(service, ["503", "200"], "node-a", "node-b");
        await cluster.AnsweredBy(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "a1"); // it serves nevertheless
        await service.SetBackends();
        await Health(service, ["503", "503"], "node-a", "node-b");
    }

    [Fact]
    public async Task The_port_comes_and_goes_with_the_policy()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer, externalTrafficPolicy: Local", "a1");
        var port = service.HealthCheckNodePort;
        await Health(service, ["200"], "node-a");
        await service.Change("externalTrafficPolicy: Cluster");
        Assert.Equal(0, service.HealthCheckNodePort);
        await Eventually.True(async () => await Code("node-a", port) == "000", "nobody listens there any more");
        await service.Change("externalTrafficPolicy: Local");
        await Health(service, ["200", "503"], "node-a", "node-b");
        port = service.HealthCheckNodePort;
        await service.DisposeAsync();
        await Eventually.True(async () => await Code("node-a", port) == "000", "it went with the service");
    }

    private async Task Health(TestService service, string[] codes, params string[] nodes)
    {
        for (var i = 0; i < nodes.Length; i++)
            await Eventually.True(async () => await Code(nodes[i], service.HealthCheckNodePort) == codes[i], $"{nodes[i]} says {codes[i]}");
    }

    private async Task<string> Code(string node, int port) => (await cluster.Cluster.Outside.ExecAsync(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "2",
            $"http://{cluster.NodeAddress(node, "IPv4")}:{port}/healthz"])).Output;

    private async Task<string> Ask(TestService service, string node) =>
        (await cluster.Cluster.Outside.ExecAsync(
            ["curl", "-s", $"http://{cluster.NodeAddress(node, "IPv4")}:{service.HealthCheckNodePort}/healthz"])).ThrowIfFailed().Output;
}
