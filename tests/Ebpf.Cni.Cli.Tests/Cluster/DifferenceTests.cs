using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.Cli.Tests.Cluster;

/// <summary>Where the nodes' answers about a Service differ, and where they only seem to.</summary>
public class DifferenceTests
{
    private static string Golden(string name) => Path.Combine(AppContext.BaseDirectory, "golden", "cluster", name);

    [Fact]
    public async Task A_backend_that_one_node_lacks_is_named_with_the_nodes_that_have_it()
    {
        using var kubectl = FakeKubectl.Of(Golden("service-differs"));
        var differences = await DifferencesAsync(kubectl);
        Assert.Contains("10.96.0.10:80/TCP internal: 10.244.2.9:8080 is serving on all but worker-3", differences);
        Assert.Contains("[fd00:96::a]:80/TCP internal: MISSING in the kernel on worker-2", differences);
        Assert.Contains("[fd00:96::a]:80/TCP internal: absent on worker-3", differences);
        Assert.Contains("10.96.0.10:80/TCP internal: DIFFERENT from what was last applied (on worker-3)", differences);
        Assert.Contains("NODE-IPV4:30080/TCP external: absent on worker-4", differences);
        Assert.Contains("worker-5 does not know the Service", differences);
        Assert.All(differences, d => Assert.DoesNotContain("worker-6", d, StringComparison.Ordinal));
    }

    /// <summary>Ids, counters, names of pods, the nodes' own addresses, and local backends by a traffic policy.</summary>
    [Fact]
    public async Task What_differs_by_its_nature_is_no_difference()
    {
        using var kubectl = FakeKubectl.Of(Golden("service-same"));
        Assert.Empty(await DifferencesAsync(kubectl));
    }

    /// <summary>It does not say that it drops, as a node without a pod does by a traffic policy.</summary>
    [Fact]
    public async Task A_node_that_has_lost_its_backends_is_not_taken_for_one_without_local_pods()
    {
        using var kubectl = FakeKubectl.Of(Golden("service-same"));
        var empty = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Golden("service-same"), "worker-4.json")))!;
        empty["frontends"]![1]!["flags"] = new JsonArray("keepSource");
        kubectl.Answers("worker-4", empty.ToJsonString());
        Assert.Contains("NODE-IPV4:30080/TCP external: 10.244.1.7:8080 is serving on worker-1", await DifferencesAsync(kubectl));
    }

    private static async Task<List<string>> DifferencesAsync(FakeKubectl kubectl)
    {
        var outcome = await kubectl.RunAsync("service", "get", "default/web", "-o", "json");
        using var document = JsonDocument.Parse(outcome.Output);
        return [.. document.RootElement.GetProperty("differences").EnumerateArray().Select(d => d.GetString()!)];
    }
}
