using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Agents are killed on all nodes, one after the other, in the middle of everything: no client notices.</summary>
public abstract class RestartTests(ServiceCluster cluster)
{
    [Fact]
    public async Task Killing_every_agent_breaks_no_connection_of_any_client_and_changes_are_followed_afterwards()
    {
        await using var service = await TestService.Create(cluster, "type: LoadBalancer", "a1", "b1", "c1");
        var node = cluster.NodeAddress("node-a", "IPv4");
        (Client Client, string Address, int Port)[] askers = [(PodA, service.ClusterIPs[0], 80), (NodeB, service.ClusterIPs[1], 80),
            (World, node, service.NodePort), (new Client.Outside(2), service.LoadBalancerIPs[1], 80)];
        var streams = new List<(SignalFiles Signals, Task<ExecResult> Running)>();
        foreach (var (client, address, port) in askers)
        {
            await cluster.AnsweredBy(client, "tcp", address, port, "a1", "b1", "c1");
            var signals = new SignalFiles();
            string[] source = client is Client.Outside ? [cluster.SourceOf(client, FamilyOf(address))] : [];
            var running = cluster.RunAsync(
                client, Program("stream.py", [address, $"{port}", "50", signals.Started, signals.Stop, .. source]));
            await signals.WaitStarted(running);
            streams.Add((signals, running));
        }
        await using var flow = Flow.Start(cluster, World, false, node, service.NodePort);
        await cluster.AnsweredBy(World, "udp", node, service.NodePort, "a1", "b1", "c1");

        foreach (var name in cluster.Cluster.NodeNames)
        {
            await cluster.Cluster.Nodes[name].KillAgentAsync();
            Assert.Empty((await cluster.Ask(World, "tcp", cluster.NodeAddress(name, "IPv6"), service.NodePort, 20)).Failures);
            await cluster.Cluster.Nodes[name].StartAgentAsync();
            await cluster.Cluster.Nodes[name].WaitAgentReadyAsync();
        }
        for (var i = 0; i < streams.Count; i++)
        {
            streams[i].Signals.RequestStop();
            var streamed = Streamed.Parse(await streams[i].Running);
            Assert.True(streamed.Failures.Count == 0,
                $"{askers[i].Client} to {askers[i].Address}: {string.Join(", ", streamed.Failures)} of {streamed.Opened}");
            Assert.True(streamed.Exchanges > 100, $"{askers[i].Client} exchanged only {streamed.Exchanges} times");
            streams[i].Signals.Dispose();
        }
        Assert.Single(flow.States); // one backend, no silence
        await service.SetBackends("b2");
        await flow.Becomes("b2");
        foreach (var (client, address, port) in askers)
            await cluster.AnsweredBy(client, "tcp", address, port, "b2");
    }
}

[Collection(FullServices.Name)]
public sealed class SocketRestartTests(FullCluster cluster) : RestartTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketRestartTests(OffCluster cluster) : RestartTests(cluster);
