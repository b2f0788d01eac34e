using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>What the plugin makes of a pod: addresses that only it can use, and nothing left when it goes.</summary>
public sealed class PodTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    [Fact]
    public async Task A_pod_that_forges_an_address_gets_nowhere_and_the_drop_is_counted_with_its_reason()
    {
        var pods = await fixture.Cluster.WaitForPodsReady("app=web", 3);
        var client = (await fixture.Cluster.WaitForPodsReady("app=client", 1))[0];
        var node = client["spec"]!["nodeName"]!.GetValue<string>();
        foreach (var listener in pods)
        {
            using var heard = await Listener.Start(fixture.Cluster, listener);
            foreach (var family in new[] { 0, 1 })
            {
                var own = Ip(client, family);
                var other = Ip(pods.First(p => p.Name() != listener.Name()), family);
                var before = await Drops(node);
                await Send(other, Ip(listener, family));
                await Eventually.True(async () => await Drops(node) > before, $"a drop of {other} on {node} is counted");
                // The control: the same program with the pod's own address arrives, and what came first did not.
                await Send(own, Ip(listener, family));
                await Eventually.True(() => heard.Lines.Any(l => l.Contains($"from {own} by", StringComparison.Ordinal)),
                    $"{listener.Name()} hears {own}");
                Assert.DoesNotContain(heard.Lines, l => l.Contains($"from {other} ", StringComparison.Ordinal));
            }
        }

        async Task Send(string source, string destination) =>
            (await fixture.Cluster.ExecAsync("client", ClusterFixture.Program("forge.py", source, destination, "9999"))).ThrowIfFailed();
    }

    [Fact]
    public async Task Deleting_a_pod_leaves_no_link_route_entry_or_file()
    {
        var node = fixture.Cluster.Nodes.Values.First();
        var before = await NodeTraces.Read(fixture.Cluster, node);
        await fixture.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Pod\nmetadata: {{name: passing, labels: {{app: passing}}}}\nspec:\n  nodeName: {node.Name}\n  "
            + $"terminationGracePeriodSeconds: 1\n"
            + "  containers: [{name: c, image: busybox, command: [sleep, infinity]}]\n");
        await fixture.Cluster.WaitForPodsReady("app=passing", 1);
        // The control
        Assert.True((await NodeTraces.Read(fixture.Cluster, node)).Count > before.Count, "the pod leaves traces while it lives");
        await fixture.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "passing");
        await fixture.Cluster.Client.WaitAsync(ResourceTypes.Pods, "default", "app=passing", pods => pods.Count == 0, "the pod is gone");
        Assert.Equal(before, await NodeTraces.Read(fixture.Cluster, node));
    }

    [Fact]
    public async Task Pods_reach_pods_and_nodes_of_both_nodes_in_both_families()
    {
        var pods = await fixture.Cluster.WaitForPodsReady("app=web", 3);
        foreach (var pod in pods)
            foreach (var family in new[] { 0, 1 })
            {
                Assert.Empty((await fixture.Ask("tcp", Ip(pod, family), 8080, 5)).Failures);
                foreach (var node in fixture.Cluster.NodeNames)
                    Assert.Empty((await fixture.AskFromNode(node, "tcp", Ip(pod, family), 8080, 5)).Failures);
            }
    }

    private async Task<double> Drops(string node)
    {
        var metrics = await fixture.Cluster.MetricsAsync(node);
        return metrics.Split('\n')
            .Where(l => l.StartsWith("ebpf_cni_packets_total{", StringComparison.Ordinal)
                && l.Contains("source_address", StringComparison.Ordinal))
            .Sum(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture));
    }

    private static string Ip(JsonObject pod, int family) => pod["status"]!["podIPs"]![family]!["ip"]!.GetValue<string>();
}
