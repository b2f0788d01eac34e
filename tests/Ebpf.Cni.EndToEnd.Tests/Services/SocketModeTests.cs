using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Where a connection is translated: seen by what its own socket is connected to.</summary>
public abstract class SocketModeTests(ServiceCluster cluster, bool nodesAtSocket, bool podsAtSocket)
{
    private const string Program = """
        import socket, subprocess, sys
        with socket.create_connection((sys.argv[1], 80), 5) as s:
            subprocess.run(["ss", "-Htn", "sport", "=", f":{s.getsockname()[1]}"])
        """;

    [Fact]
    public async Task Sockets_are_translated_where_the_mode_says()
    {
        await using var service = await TestService.Create(cluster, "", "b1");
        var address = service.ClusterIPs[0];
        foreach (var (client, atSocket) in new[] { (PodA, podsAtSocket), (NodeA, nodesAtSocket) })
        {
            await cluster.AnsweredBy(client, "tcp", address, 80, "b1");
            var sockets = (await cluster.RunAsync(client, ["python3", "-c", Program, address])).ThrowIfFailed().Output;
            Assert.Contains(atSocket ? $"{cluster.AddressOf("b1", "IPv4")}:8080" : $"{address}:80", sockets, StringComparison.Ordinal);
        }
    }
}

[Collection(FullServices.Name)]
public sealed class FullModeTests(FullCluster cluster) : SocketModeTests(cluster, nodesAtSocket: true, podsAtSocket: true);

[Collection(OffServices.Name)]
public sealed class OffModeTests(OffCluster cluster) : SocketModeTests(cluster, nodesAtSocket: false, podsAtSocket: false);

[Collection(HostOnlyServices.Name)]
public sealed class HostOnlyModeTests(HostOnlyCluster cluster) : SocketModeTests(cluster, nodesAtSocket: true, podsAtSocket: false)
{
    private readonly HostOnlyCluster _cluster = cluster;

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Every_kind_of_client_reaches_every_kind_of_address(string protocol)
    {
        await using var service = await TestService.Create(_cluster, "type: LoadBalancer", "a1", "b1");
        foreach (var family in new[] { 0, 1 })
        {
            var node = _cluster.NodeAddress("node-c", family == 0 ? "IPv4" : "IPv6");
            foreach (var client in new[] { PodA, PodC, NodeA, World })
            {
                if (client != World)
                    await _cluster.AnsweredBy(client, protocol, service.ClusterIPs[family], 80, "a1", "b1");
                await _cluster.AnsweredBy(client, protocol, service.LoadBalancerIPs[family], 80, "a1", "b1");
                await _cluster.AnsweredBy(client, protocol, node, service.NodePort, "a1", "b1");
            }
        }
        await service.SetBackends();
        await _cluster.Refused(PodA, protocol, service.ClusterIPs[0], 80);
        await _cluster.Refused(NodeA, protocol, service.ClusterIPs[0], 80);
    }
}
