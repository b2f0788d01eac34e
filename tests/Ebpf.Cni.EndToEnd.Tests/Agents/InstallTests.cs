using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Install;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Agents;

/// <summary>The rendered chart, applied by kubectl as its users do, makes nodes ready and pods reachable.</summary>
public sealed class InstallTests(ITestOutputHelper log) : IAsyncLifetime
{
    private static readonly string Chart = Path.Combine(Repository.Root, "deploy", "ebpf-cni.yaml");
    private SandboxCluster _cluster = null!;

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        Requires.Tool("kubectl");
        _cluster = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = "e2e-install",
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent")),
            Manifest = Chart,
            Install = false,
        });
    }

    public async ValueTask DisposeAsync()
    {
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task An_applied_chart_makes_nodes_ready_and_its_agents_have_its_rights()
    {
        await _cluster.Client.WaitAsync(ResourceTypes.Nodes, "", null,
            nodes => nodes.Count == 2 && nodes.All(n => n.Condition("Ready") == "False"), "no node is ready");
        var clock = Stopwatch.StartNew();
        var applying = Kubectl("apply", "-f", Chart);
        await _cluster.Client.WaitAsync(ResourceTypes.Nodes, "", null, nodes => nodes.Any(n => n.Condition("Ready") == "True"),
            "the first node is ready");
        Figure(string.Create(CultureInfo.InvariantCulture, $"figure: apply to first ready node {clock.Elapsed.TotalSeconds:0.0} s"));
        (await applying).ThrowIfFailed();
        (await Kubectl("rollout", "status", "-n", "kube-system", "daemonset/ebpf-cni", "--timeout=60s")).ThrowIfFailed();

        var chart = await InstallManifest.ReadAsync(Chart);
        foreach (var node in _cluster.Nodes.Values)
        {
            Assert.Equal(chart.Pod.Containers[0].Capabilities.Count, CapabilitiesOf($"{node.AgentPid}"));
            Assert.NotEqual(chart.Pod.Containers[0].Capabilities.Count, CapabilitiesOf("self")); // the control
            Assert.True(File.Exists(Path.Combine(node.Directories.CniBinaries, "ebpf-cni")));
        }

        (await Kubectl("apply", "-f", Path.Combine(Repository.Root, "examples", "hello.yaml"))).ThrowIfFailed();
        await _cluster.WaitForPodsReady("app=web", 3);
        await _cluster.Client.WaitForEndpointsAsync("hello", 3);
        var address = (await _cluster.Client.GetAsync(ResourceTypes.Services, "default", "hello")).Text("spec", "clusterIP")!;
        await _cluster.WaitForPodsReady("app=client", 1);
        await Eventually.True(
            async () => Asked.Parse(await _cluster.ExecAsync("client", ClusterFixture.Program("ask.py", "tcp", address, "80", "20", "5")))
                is { Failures.Count: 0, Answers.Count: 3 }, "the Service is answered");
    }

    private static int CapabilitiesOf(string process) => BitOperations.PopCount(ulong.Parse(
        File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith("CapEff:", StringComparison.Ordinal)).Split('\t')[1],
        NumberStyles.HexNumber, CultureInfo.InvariantCulture));

    private void Figure(string line)
    {
        log.WriteLine(line);
        Console.WriteLine(line);
    }

    private Task<ExecResult> Kubectl(params string[] arguments) => Cluster.Kubectl.RunAsync(_cluster, arguments);
}
