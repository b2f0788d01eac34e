using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>All backends are replaced, one after the other, while clients everywhere go on asking: nobody notices.</summary>
public abstract class RollingUpdateTests(ServiceCluster cluster)
{
    [Fact]
    public async Task Replacing_every_backend_under_load_loses_no_connection_cluster_wide()
    {
        await using var deployment = await Rolled.Create(cluster, "rolled-c", 3, "", "type: LoadBalancer");
        var service = deployment.Service;
        (Client, string, int)[] askers =
        [
            (PodA, service.Texts("spec", "clusterIPs").First(), 80),
            (NodeB, service.Texts("spec", "clusterIPs").Last(), 80),
            (World, cluster.NodeAddress("node-a", "IPv4"), (int)service.Items("spec", "ports").First().Number("nodePort")!),
            (new Client.Outside(2), service.Items("status", "loadBalancer", "ingress").Last().Text("ip")!, 80),
        ];
        await Lossless(deployment, askers);
    }

    [Fact]
    public async Task Replacing_every_backend_of_a_node_under_load_loses_no_connection_with_the_local_policy()
    {
        await using var deployment = await Rolled.Create(
            cluster, "rolled-l", 2, "nodeSelector: {kubernetes.io/hostname: node-b}",
            "type: LoadBalancer, externalTrafficPolicy: Local, internalTrafficPolicy: Local");
        var service = deployment.Service;
        var balanced = service.Items("status", "loadBalancer", "ingress").First().Text("ip")!;
        cluster.Cluster.Outside.Route(IPAddress.Parse(balanced), "node-b");
        (Client, string, int)[] askers =
        [
            (PodB, service.Texts("spec", "clusterIPs").First(), 80),
            (World, cluster.NodeAddress("node-b", "IPv6"), (int)service.Items("spec", "ports").First().Number("nodePort")!),
            (new Client.Outside(2), balanced, 80),
        ];
        await Lossless(deployment, askers);
    }

    [Fact]
    public async Task A_udp_client_follows_a_rolling_replacement_on_the_same_and_other_nodes()
    {
        await using var deployment = await Rolled.Create(cluster, "rolled-u", 1, "", "type: NodePort", drain: 0);
        var service = deployment.Service;
        (Client Client, string Address, int Port)[] askers =
        [
            (PodA, service.Texts("spec", "clusterIPs").First(), 80),
            (NodeA, service.Texts("spec", "clusterIPs").First(), 80),
            (World, cluster.NodeAddress("node-a", "IPv4"), (int)service.Items("spec", "ports").First().Number("nodePort")!),
        ];
        var flows = askers.Select(a => Flow.Start(cluster, a.Client, false, a.Address, a.Port)).ToList();
        foreach (var generation in new[] { "1", "2" })
        {
            foreach (var flow in flows)
                await flow.Becomes("g" + generation);
            if (generation == "1")
                await deployment.Roll("2");
        }
        await deployment.Scale(0);
        foreach (var flow in flows)
            await flow.IsRefused(connected: false);
        await deployment.Scale(1);
        foreach (var flow in flows)
        {
            await flow.Becomes("g2");
            await flow.DisposeAsync();
        }
    }

    private async Task Lossless(Rolled deployment, (Client Client, string Address, int Port)[] askers)
    {
        var streams = new List<(SignalFiles Signals, Task<Sandbox.Fabric.ExecResult> Running)>();
        foreach (var (client, address, port) in askers)
        {
            var signals = new SignalFiles();
            string[] source = client is Client.Outside ? [cluster.SourceOf(client, FamilyOf(address))] : [];
            var running = cluster.RunAsync(
                client, Program("stream.py", [address, $"{port}", "0", signals.Started, signals.Stop, .. source]));
            await signals.WaitStarted(running);
            streams.Add((signals, running));
        }
        await deployment.Roll("2");
        for (var i = 0; i < streams.Count; i++)
        {
            streams[i].Signals.RequestStop();
            var streamed = Streamed.Parse(await streams[i].Running);
            Assert.True(streamed.Failures.Count == 0,
                $"{askers[i].Client} to {askers[i].Address}: {string.Join(", ", streamed.Failures)} of {streamed.Opened}");
            Assert.True(streamed.Opened > 50, $"{askers[i].Client} opened only {streamed.Opened} connections");
            streams[i].Signals.Dispose();
        }
    }
}

/// <summary>A Deployment and its Service by the real controllers; the pods call themselves "g1" and "g2" by their generation.</summary>
internal sealed class Rolled : IAsyncDisposable
{
    private readonly ServiceCluster _cluster;
    private readonly string _name;
    private readonly string _more;
    private readonly double _drain;
    private int _replicas;

    private Rolled(ServiceCluster cluster, string name, int replicas, string more, double drain) =>
        (_cluster, _name, _replicas, _more, _drain) = (cluster, name, replicas, more, drain);

    public JsonObject Service { get; private set; } = [];

    public static async Task<Rolled> Create(ServiceCluster cluster, string name, int replicas, string more, string spec, double drain = 5)
    {
        var made = new Rolled(cluster, name, replicas, more, drain);
        await cluster.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {name}}}, ipFamilyPolicy: "
            + $"RequireDualStack, {spec}, "
            + "ports: [{name: t, port: 80, targetPort: 8080, protocol: TCP}, {name: u, port: 80, targetPort: 8080, protocol: UDP}]}\n");
        await cluster.Cluster.ApplyAsync(made.Manifest("1"));
        await cluster.Cluster.WaitForPodsReady("app=" + name, replicas);
        await cluster.Cluster.Client.WaitForEndpointsAsync(name, replicas);
        await Eventually.True(
            async () =>
            {
                made.Service = await cluster.Cluster.Client.GetAsync(ResourceTypes.Services, "default", name);
                return made.Service.Text("spec", "type") != "LoadBalancer"
                    || made.Service.Items("status", "loadBalancer", "ingress").Count() == 2;
            }, "its load balancer");
        foreach (var address in made.Service.Texts("spec", "clusterIPs"))
            await cluster.AnsweredBy(PodB, "tcp", address, 80, "g1");
        foreach (var address in made.Service.Items("status", "loadBalancer", "ingress").Select(i => i.Text("ip")!))
            await cluster.AnsweredBy(World, "tcp", address, 80, "g1");
        return made;
    }

    /// <summary>Replaces all pods; returns when the last old one is gone.</summary>
    public async Task Roll(string generation)
    {
        await _cluster.Cluster.ApplyAsync(Manifest(generation));
        await _cluster.Cluster.Client.WaitAsync(
            ResourceTypes.Pods, "default", "app=" + _name,
            pods => pods.Count == _replicas && pods.All(
                p => p.Text("metadata", "labels", "generation") == generation && p.Condition("Ready") == "True"),
            $"all pods of {_name} are new");
    }

    public async Task Scale(int replicas)
    {
        _replicas = replicas;
        await _cluster.Cluster.Client.PatchAsync(
            ResourceTypes.Deployments, "default", _name, new() { ["spec"] = new JsonObject { ["replicas"] = replicas } });
        await _cluster.Cluster.WaitForPodsReady("app=" + _name, replicas);
    }

    public async ValueTask DisposeAsync()
    {
        await _cluster.Cluster.Client.DeleteAsync(ResourceTypes.Deployments, "default", _name);
        await _cluster.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", _name);
    }

    private string Manifest(string generation) => $$"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: {{_name}}}
        spec:
          replicas: {{_replicas}}
          strategy: {rollingUpdate: {maxUnavailable: 0, maxSurge: 1} }
          selector: {matchLabels: {app: {{_name}} } }
          template:
            metadata: {labels: {app: {{_name}}, generation: "{{generation}}"} }
            spec:
              terminationGracePeriodSeconds: 10
              {{_more}}
              containers:
                - name: c
                  image: python:3-slim
                  env: [{name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName} } }]
                  command: {{ServerCommand("g" + generation, "$(NODE)", "8080", _drain)}}
                  readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
        """;
}

[Collection(FullServices.Name)]
public sealed class SocketRollingUpdateTests(FullCluster cluster) : RollingUpdateTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketRollingUpdateTests(OffCluster cluster) : RollingUpdateTests(cluster);
