using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>A cluster of its own: its nodes' podCIDRs change.</summary>
public sealed class ChangingRanges() : ClusterFixture("e2e-ipam", "--ip-reuse-delay", "4");

/// <summary>The node's podCIDRs change, gain a family and run out, while pods live.</summary>
public sealed class PodCidrTests(ChangingRanges fixture) : IClassFixture<ChangingRanges>
{
    private const string Node = "node-b";

    [Fact]
    public async Task Ranges_change_gain_a_family_and_run_out()
    {
        var cluster = fixture.Cluster;
        await Pod("old");
        var old = (await cluster.WaitForPodsReady("app=old", 1))[0];
        await SetRanges("10.250.0.0/29");
        await Eventually.True(async () => await Gauge("capacity", "ipv4") == 5, "the new range is known");

        Assert.Equal("10.250.0.2", await Started("p1"));
        await Answers("10.250.0.2"); // from elsewhere too: the route follows
        // Who was here keeps its addresses, and reaches and is reached on its node as before.
        Assert.Empty((await fixture.AskFromNode(Node, "tcp", Ips(old)[0], 8080, 3)).Failures);
        Assert.Empty((await fixture.AskFromNode(Node, "tcp", Ips(old)[1], 8080, 3)).Failures);
        Assert.Empty((await fixture.Ask("tcp", "10.250.0.2", 8080, 3, pod: "old")).Failures);

        await SetRanges("10.250.0.0/29", "fd00:250::/64");
        await Eventually.True(async () => await Gauge("capacity", "ipv6") > 1e18, "the second family is known");
        Assert.Equal("10.250.0.3 fd00:250::2", await Started("p2"));
        await Answers("10.250.0.3", "fd00:250::2");

        foreach (var pod in (string[])["p3", "p4", "p5"])
            await Started(pod);
        await Pod("p6");
        await Told("Node", Node, "PodAddressesExhausted", "no free address in 10.250.0.0/29 (capacity 5)");
        await Told("Pod", "p6", "FailedCreatePodSandBox", "5 in use, 0 within the IP reuse delay");
        Assert.Equal(0, await Gauge("resting", "ipv4"));
        await cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "p1", graceSeconds: 0);
        var late = (await cluster.WaitForPodsReady("app=p6", 1, TimeSpan.FromSeconds(60)))[0];
        Assert.Equal("10.250.0.2", Ips(late)[0]);
    }

    private async Task<string> Started(string name)
    {
        await Pod(name);
        return string.Join(' ', Ips((await fixture.Cluster.WaitForPodsReady($"app={name}", 1))[0]));
    }

    private async Task Pod(string name) => await fixture.Cluster.ApplyAsync(
        $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {name}}}}}\nspec:\n  nodeName: {Node}\n  "
        + $"terminationGracePeriodSeconds: 1\n"
        + $"  containers: [{{name: c, image: python, command: {ServiceCluster.ServerCommand(name, Node, "8080")}}}]\n");

    private async Task Answers(params string[] addresses)
    {
        foreach (var address in addresses)
            foreach (var node in fixture.Cluster.NodeNames)
                await Eventually.True(async () => (await fixture.AskFromNode(node, "tcp", address, 8080, 2)).Failures.Count == 0,
                    $"{address} answers {node}");
    }

    private async Task SetRanges(params string[] ranges) =>
        await fixture.Cluster.Client.PatchAsync(ResourceTypes.Nodes, "", Node, new JsonObject
    {
        ["spec"] = new JsonObject { ["podCIDR"] = ranges[0], ["podCIDRs"] = new JsonArray([.. ranges.Select(r => JsonValue.Create(r))]) },
    });

    private Task Told(string kind, string name, string reason, string text) => Eventually.True(
        async () => (await fixture.Cluster.Client.ListAsync(ResourceTypes.Events)).Any(
            e => e.Text("involvedObject", "kind") == kind && e.Text("involvedObject", "name") == name && e.Text("reason") == reason
                && e.Text("message")!.Contains(text, StringComparison.Ordinal)),
        $"an event {reason} of {name}: {text}", TimeSpan.FromSeconds(30));

    private async Task<double> Gauge(string what, string family)
    {
        var name = $"ebpf_cni_addresses_{what}{{family=\"{family}\"}} ";
        var line = (await fixture.Cluster.MetricsAsync(Node)).Split('\n').FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
        return line is null ? -1 : double.Parse(line[name.Length..], CultureInfo.InvariantCulture);
    }

    private static string[] Ips(JsonObject pod) => [.. pod["status"]!["podIPs"]!.AsArray().Select(i => i!["ip"]!.GetValue<string>())];
}
