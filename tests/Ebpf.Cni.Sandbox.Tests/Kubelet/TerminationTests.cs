using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubelet;

/// <summary>What a pod is while it ends, what its ports are on the node, and who leads the world to a load balancer.</summary>
public sealed class TerminationTests : IAsyncLifetime
{
    private SandboxCluster _cluster = null!;

    private SandboxNode Node => _cluster.Nodes["node-a"];

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        _cluster = await SandboxCluster.StartAsync(new SandboxOptions { Name = "t-ending", Nodes = 1, LoadBalancer = true });
        FakeCni.Install(Node);
    }

    public ValueTask DisposeAsync() => _cluster?.DisposeAsync() ?? ValueTask.CompletedTask;

    [Fact]
    public async Task A_pod_that_ends_serves_as_long_as_its_probe_says_so()
    {
        var directory = Directory.CreateTempSubdirectory("ebpf-cni-ending");
        var file = Path.Combine(directory.FullName, "ready");
        File.WriteAllText(file, "");
        try
        {
            await _cluster.ApplyAsync($$"""
                apiVersion: v1
                kind: Service
                metadata: {name: ending}
                spec: {selector: {app: ending}, ports: [{port: 80}]}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: ending, labels: {app: ending} }
                spec:
                  terminationGracePeriodSeconds: 600
                  containers:
                    - name: main
                      command: [sh, -c, "trap '' TERM; while [ -e {{directory.FullName}} ]; do sleep 0.05; done"]
                      readinessProbe: {exec: {command: [test, -e, {{file}}] }, periodSeconds: 1, failureThreshold: 1}
                """);
            await _cluster.WaitForPodsReady("app=ending", 1);
            await Endpoint("ready=True,serving=True,terminating=False");
            await _cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "ending");
            await Endpoint("ready=False,serving=True,terminating=True");
            File.Delete(file);
            await Endpoint("ready=False,serving=False,terminating=True");
            directory.Delete(recursive: true);
            await _cluster.Client.WaitForEndpointsAsync("ending", 0);
            await _cluster.Client.WaitAsync(ResourceTypes.Pods, "default", null, pods => pods.Count == 0,
                "it is gone long before its grace is over");
        }
        finally
        {
            if (directory.Exists)
                Directory.Delete(directory.FullName, recursive: true);
        }

        Task Endpoint(string conditions) => _cluster.Client.WaitAsync(
            ResourceTypes.EndpointSlices, "default", "kubernetes.io/service-name=ending",
            slices => slices.SelectMany(s => s.Items("endpoints")).Any(e =>
                $"ready={e.Flag("conditions", "ready")},serving={e.Flag("conditions", "serving")},"
                + $"terminating={e.Flag("conditions", "terminating")}" == conditions),
            conditions);
    }

    [Fact]
    public async Task Host_ports_are_told_to_a_plugin_that_can_map_them_and_to_no_other()
    {
        var list = Path.Combine(Node.Directories.CniConfiguration, "10-fake.conflist");
        await _cluster.ApplyAsync(Mapped("unable", 8081));
        await _cluster.WaitForPodsReady("app=unable", 1);
        Assert.DoesNotContain("runtimeConfig", Assert.Single(FakeCni.Calls(Node)), StringComparison.Ordinal);
        File.WriteAllText(list, File.ReadAllText(list)
            .Replace("\"note\"", "\"capabilities\":{\"portMappings\":true},\"note\"", StringComparison.Ordinal));
        await _cluster.ApplyAsync(Mapped("able", 8082));
        await _cluster.WaitForPodsReady("app=able", 1);
        var call = FakeCni.Calls(Node)[^1];
        Assert.Contains("\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8082,\"containerPort\":80,\"protocol\":\"udp\","
            + "\"hostIP\":\"172.30.0.11\"}]}", call, StringComparison.Ordinal);
        Assert.DoesNotContain("capabilities", call, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_load_balancer_gets_addresses_of_its_families_routed_to_a_node_as_long_as_it_is_one()
    {
        await _cluster.ApplyAsync("""
            apiVersion: v1
            kind: Service
            metadata: {name: balanced}
            spec: {type: LoadBalancer, ipFamilyPolicy: RequireDualStack, ports: [{port: 80}]}
            """);
        var service = (await Balanced(s => s.Items("status", "loadBalancer", "ingress").Count() == 2))
            .Items("status", "loadBalancer", "ingress").Select(i => i.Text("ip"));
        Assert.Equal(["203.0.113.1", "2001:db8:113::1"], service);
        await Eventually.True(async () => (await Routes()).Contains("203.0.113.1 via 172.30.0.11", StringComparison.Ordinal),
            "it is routed");
        await _cluster.Client.PatchAsync(ResourceTypes.Services, "default", "balanced",
            new() { ["spec"] = new System.Text.Json.Nodes.JsonObject { ["type"] = "ClusterIP" } });
        await Balanced(s => !s.Items("status", "loadBalancer", "ingress").Any());
        await Eventually.True(async () => !(await Routes()).Contains("203.0.113", StringComparison.Ordinal), "it is routed no more");

        async Task<System.Text.Json.Nodes.JsonObject> Balanced(Func<System.Text.Json.Nodes.JsonObject, bool> condition) =>
            (await _cluster.Client.WaitAsync(ResourceTypes.Services, "default", null,
                all => all.Any(s => s.Name() == "balanced" && condition(s)), "its status")).Single(s => s.Name() == "balanced");
        async Task<string> Routes() => (await _cluster.Outside.ExecAsync(["ip", "route"])).ThrowIfFailed().Output;
    }

    private static string Mapped(string name, int port) => $$"""
        apiVersion: v1
        kind: Pod
        metadata: {name: {{name}}, labels: {app: {{name}} } }
        spec:
          terminationGracePeriodSeconds: 1
          containers:
            - name: main
              command: [sleep, infinity]
              ports: [{containerPort: 80, hostPort: {{port}}, hostIP: 172.30.0.11, protocol: UDP}, {containerPort: 81}]
        """;
}
