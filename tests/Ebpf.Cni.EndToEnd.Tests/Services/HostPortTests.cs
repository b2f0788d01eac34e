using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A port of the node that leads to one pod on it.</summary>
public abstract class HostPortTests(ServiceCluster cluster)
{
    [Fact]
    public async Task It_is_reached_from_the_world_from_pods_and_from_nodes_as_long_as_its_pod_lives()
    {
        await Apply("hp1", "{containerPort: 8080, hostPort: 54321}");
        foreach (var family in new[] { "IPv4", "IPv6" })
            foreach (var client in new[] { World, PodA, PodB, NodeA, NodeB })
                await cluster.AnsweredBy(client, "tcp", cluster.NodeAddress("node-a", family), 54321, "hp1");
        var asked = await cluster.Ask(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), 54321, 3);
        Assert.Equal([cluster.SourceOf(World, "IPv4")], asked.Peers); // the client's own address
        await cluster.Silent(World, "tcp", cluster.NodeAddress("node-b", "IPv4"), 54321); // of its own node alone
        await cluster.Silent(World, "udp", cluster.NodeAddress("node-a", "IPv4"), 54321);
        await Delete("hp1");
        await cluster.Silent(World, "tcp", cluster.NodeAddress("node-a", "IPv4"), 54321);
    }

    [Fact]
    public async Task One_number_is_shared_by_host_ip_and_by_protocol()
    {
        var (v4, v6) = (cluster.NodeAddress("node-a", "IPv4"), cluster.NodeAddress("node-a", "IPv6"));
        await Apply("hp2", $"{{containerPort: 8080, hostPort: 54323, hostIP: '{v4}'}}");
        await Apply("hp3", $"{{containerPort: 8080, hostPort: 54323, hostIP: '{v6}'}}");
        await Apply("hp4", "{containerPort: 8080, hostPort: 54323, protocol: UDP}");
        await cluster.AnsweredBy(World, "tcp", v4, 54323, "hp2");
        await cluster.AnsweredBy(World, "tcp", v6, 54323, "hp3");
        await cluster.AnsweredBy(World, "udp", v4, 54323, "hp4");
        await cluster.AnsweredBy(World, "udp", v6, 54323, "hp4");
        await Delete("hp2");
        await Delete("hp3");
        await Delete("hp4");
    }

    private async Task Apply(string pod, string port)
    {
        await cluster.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {pod}, labels: {{app: {pod}}}}}\nspec:\n  nodeName: node-a\n  "
            + $"terminationGracePeriodSeconds: 1\n"
            + $"  containers: [{{name: c, image: python:3-slim, command: {ServerCommand(pod, "node-a", "8080")}, ports: [{port}], "
                + $"readinessProbe: {{tcpSocket: {{port: 8080}}, periodSeconds: 1}}}}]\n");
        await cluster.Cluster.WaitForPodsReady($"app={pod}", 1);
    }

    private async Task Delete(string pod)
    {
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", pod);
        await cluster.Cluster.Client.WaitAsync(ResourceTypes.Pods, "default", $"app={pod}", pods => pods.Count == 0, $"{pod} is gone");
    }
}

[Collection(FullServices.Name)]
public sealed class SocketHostPortTests(FullCluster cluster) : HostPortTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketHostPortTests(OffCluster cluster) : HostPortTests(cluster);
