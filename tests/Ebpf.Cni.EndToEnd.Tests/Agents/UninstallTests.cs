using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Agents;

/// <summary>
/// A node that was installed, served pods and Services, and was cleaned up is the node that it was: each line of its image, taken
/// before the first agent and after cleanup, is equal.
/// </summary>
public sealed class UninstallTests : IAsyncLifetime
{
    private const string Cgroup = NodeMounts.Cgroups;
    private const string ReservedPorts = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    private static readonly string Agent = Repository.Artifact("ebpf-cni-agent");
    private SandboxCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        foreach (var tool in NodeImage.Tools.Append("kubectl"))
            Requires.Tool(tool);
        _cluster = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = "e2e-uninstall",
            Nodes = 2,
            Artifacts = Path.GetDirectoryName(Agent),
            Manifest = Manifest("ebpf-cni.yaml"),
            Install = false,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task A_drained_node_is_what_it_was_before_the_agent()
    {
        var before = await Images();
        await Install();
        var node = _cluster.Nodes["node-a"];
        var running = await Cleanup(node);
        Assert.True(
            running.ExitCode == 3 && running.Errors.Contains("an agent runs on this node", StringComparison.Ordinal), Said(running));
        Assert.Empty((await AskFrom(node)).Failures);

        await node.StopAgentAsync();
        var serving = await Image(node);
        Assert.NotEqual("", NodeImage.Difference(before[node.Name], serving)); // the control
        var inUse = await Cleanup(node);
        Assert.True(inUse.ExitCode == 3 && inUse.Errors.Contains("the pod default/on-node-a ", StringComparison.Ordinal), Said(inUse));
        NodeImage.AssertEqual(serving, await Image(node));
        Assert.Empty((await AskFrom(node)).Failures); // nothing was taken away

        // Without an agent: the plugin queues the DEL.
        await DeletePod("on-node-a");
        var done = await Cleanup(node);
        Assert.True(done.ExitCode == 0, Said(done));
        NodeImage.AssertEqual(before[node.Name], await Image(node));
        var again = await Cleanup(node);
        Assert.True(
            again.ExitCode == 0 && again.Output.Contains("there was nothing of ebpf-cni to remove", StringComparison.Ordinal),
            Said(again));

        // A node can be installed anew.
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        await Eventually.True(async () => (await AskFrom(node)).Failures.Count == 0, "the Service is answered again");
    }

    [Fact]
    public async Task Forced_a_node_loses_its_pods_network_and_nothing_else_is_left()
    {
        var before = await Images();
        await Install();
        var node = _cluster.Nodes["node-b"];
        await node.KillAgentAsync();
        var forced = await Cleanup(node, "--force");
        Assert.True(forced.ExitCode == 0, Said(forced));
        Assert.Contains("default/on-node-b", forced.Output, StringComparison.Ordinal);
        // Runtimes call the plugin to remove the node's pods, and it queues that beside the socket.
        string[] kept = [$"{NodeMounts.CniBinaries}/ebpf-cni", NodeMounts.State, NodeMounts.Run];
        Assert.All(
            NodeImage.Difference(before[node.Name], await Image(node)).Split('\n'),
            line => Assert.True(line[0] == '+' && kept.Any(k => line.Contains($" {k}", StringComparison.Ordinal)), line));
        Assert.Contains($"left: {kept[0]}", forced.Output, StringComparison.Ordinal);
        await DeletePod("on-node-b");
        var rest = await Cleanup(node);
        Assert.True(rest.ExitCode == 0, Said(rest));
        NodeImage.AssertEqual(before[node.Name], await Image(node));
    }

    /// <summary>As users do it: the rendered chart with cleanup.enabled, applied over the one that installed.</summary>
    [Fact]
    public async Task The_charts_pods_clean_up_in_the_agents_place()
    {
        var before = await Images();
        await Install();
        await DeletePod("on-node-a");
        await DeletePod("on-node-b");
        await Apply("ebpf-cni-cleanup.yaml");
        await _cluster.Client.WaitAsync(
            ResourceTypes.Pods, "kube-system", null,
            pods => pods.Count == 2 && pods.All(HasCleanedUp), "a pod that has cleaned up runs on each node");
        foreach (var node in _cluster.Nodes.Values)
        {
            NodeImage.AssertEqual(before[node.Name], await Image(node));
            var said = File.ReadAllText(Path.Combine(node.Directories.Logs, "cleanup.log"));
            Assert.Contains("ebpf-cni is removed from this node", said, StringComparison.Ordinal);
            Assert.DoesNotContain("failed: ", said, StringComparison.Ordinal);
        }
    }

    private static bool HasCleanedUp(JsonObject pod) =>
        pod.Items("spec", "containers").Any(c => c.Text("name") == "stay") && pod.Condition("Ready") == "True";

    /// <summary>Agents, a pod on each node, and a Service with a NodePort that they answer.</summary>
    private async Task Install()
    {
        await Apply("ebpf-cni.yaml");
        await _cluster.Client.WaitAsync(
            ResourceTypes.Nodes, "", null, all => all.All(node => node.Condition("Ready") == "True"), "all nodes ready");
        var server = string.Join(", ", ClusterFixture.Program("server.py", "left", "node", "8080").Select(a => $"'{a}'"));
        foreach (var node in _cluster.NodeNames)
        {
            await _cluster.ApplyAsync(
                $"apiVersion: v1\nkind: Pod\nmetadata: {{name: on-{node}, labels: {{app: left}}}}\n"
                + $"spec:\n  nodeName: {node}\n  terminationGracePeriodSeconds: 1\n"
                + $"  containers: [{{name: c, image: python, command: [{server}]}}]\n");
        }

        await _cluster.ApplyAsync(
            "apiVersion: v1\nkind: Service\nmetadata: {name: left}\n"
            + "spec: {type: NodePort, selector: {app: left}, ports: [{port: 80, targetPort: 8080, nodePort: 30777}]}\n");
        await _cluster.WaitForPodsReady("app=left", 2);
        await _cluster.Client.WaitForEndpointsAsync("left", 2);
        foreach (var node in _cluster.Nodes.Values)
        {
            await Eventually.True(async () => (await AskFrom(node)).Failures.Count == 0, "the Service is answered");
            await Eventually.True(
                () => node.Namespace.Run(() => File.ReadAllText(ReservedPorts)).Contains("30777", StringComparison.Ordinal),
                "the NodePort is reserved");
        }
    }

    private static string Manifest(string name) => Path.Combine(Repository.Root, "deploy", name);

    private async Task Apply(string manifest) => (await Kubectl.RunAsync(_cluster, "apply", "-f", Manifest(manifest))).ThrowIfFailed();

    private async Task DeletePod(string name)
    {
        await _cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", name);
        await _cluster.Client.WaitAsync(
            ResourceTypes.Pods, "default", "app=left", pods => pods.All(p => p.Name() != name), "the pod is gone");
    }

    private async Task<Asked> AskFrom(SandboxNode node)
    {
        var service = await _cluster.Client.GetAsync(ResourceTypes.Services, "default", "left");
        return Asked.Parse(await _cluster.ExecOnNodeAsync(
            node.Name, ClusterFixture.Program("ask.py", "tcp", service.Text("spec", "clusterIP")!, "80", "8", "5")));
    }

    private Task<ExecResult> Cleanup(SandboxNode node, params string[] switches) =>
        _cluster.ExecOnNodeAsync(node.Name, [Agent, "cleanup", .. switches]);

    private async Task<Dictionary<string, IReadOnlyList<string>>> Images()
    {
        var images = new Dictionary<string, IReadOnlyList<string>>();
        foreach (var node in _cluster.Nodes.Values)
            images.Add(node.Name, await Image(node));
        return images;
    }

    private async Task<IReadOnlyList<string>> Image(SandboxNode node)
    {
        var command = NodeImage.Command(
            Cgroup, NodeMounts.State, NodeMounts.Run, NodeMounts.CniConfiguration, NodeMounts.CniBinaries, NodeMounts.Bpffs + "/");
        return NodeImage.Read((await _cluster.ExecOnNodeAsync(node.Name, command)).ThrowIfFailed().Output);
    }

    private static string Said(ExecResult result) => $"exit code {result.ExitCode}\n{result.Output}{result.Errors}";
}
