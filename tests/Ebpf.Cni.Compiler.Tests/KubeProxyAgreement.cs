using System.Net;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// The compiled frontends, looked up as the programs do, answer like a second and simpler account of kube-proxy: for every kind of address,
/// from inside and outside, on random clusters.
/// </summary>
public sealed class KubeProxyAgreement(ITestOutputHelper output)
{
    private static readonly IPAddress[] Clients =
        [.. new[] { "192.168.0.77", "192.168.200.1", "10.244.0.9", "203.0.113.9", "2001:db8::7", "2001:db8::3", "fd00:244::9",
            "198.51.100.9" }.Select(IPAddress.Parse)];

    private static readonly string[] EveryAnswer =
    [
        .. from kind in new[] { "balancer", "external", "node" }
           from answer in new[] { "inside served", "inside refused", "outside served", "outside refused", "outside served, keeps source",
               "outside dropped" }
           select $"{kind} {answer}",
        "balancer inside filtered", "cluster inside dropped",
    ];

    [Fact]
    public void Every_question_has_the_same_answer()
    {
        var random = new Random(Seed.Next());
        var seen = new SortedDictionary<string, int>(StringComparer.Ordinal);
        // A rare answer, as a balancer whose endpoints are all elsewhere, may take more clusters to come up.
        for (var round = 0; round < 150 || (round < 1500 && !EveryAnswer.All(seen.ContainsKey)); round++)
        {
            var (cluster, node) = Some(random);
            // kube-proxy knows neither.
            node = node with { NodeServers = [], Routing = node.Routing with { TunnelPort = 0 } };
            foreach (var (question, target, outside, expected, actual) in Ask(cluster.Cluster, node, node))
            {
                Assert.True(expected == actual,
                    $"kube-proxy {expected}, compiled {actual}: ranges {string.Join(" ", target.Service.LoadBalancerSourceRanges)}, "
                    + $"{question}");
                var label = $"{target.Kind} {(outside ? "outside" : "inside")} {expected.Verdict}{(expected.KeepsSource ? ", keeps "
                    + "source" : "")}";
                seen[label] = seen.GetValueOrDefault(label) + 1;
            }
        }
        foreach (var (label, count) in seen)
            output.WriteLine($"{count,7} {label}");
        // Every answer there can be was asked for: what never came up was not tested.
        Assert.All(EveryAnswer, answer => Assert.Contains(answer, seen.Keys));
        Assert.DoesNotContain(seen.Keys, k => k.Contains("not served", StringComparison.Ordinal)
            && !k.StartsWith("localhost outside", StringComparison.Ordinal));
    }

    /// <summary>The other test can fail: another node's kube-proxy does answer differently, in what is local and near.</summary>
    [Fact]
    public void Another_nodes_answers_are_seen_to_differ()
    {
        var random = new Random(Seed.Next());
        var different = 0;
        for (var round = 0; round < 20; round++)
        {
            var (cluster, node) = Some(random);
            different += Ask(cluster.Cluster, node, node with { NodeName = node.NodeName == "node-0" ? "node-1" : "node-0" })
                .Count(a => a.Expected != a.Actual);
        }
        Assert.True(different > 0);
    }

    private static (RandomCluster Cluster, NodeContext Node) Some(Random random)
    {
        var cluster = new RandomCluster(random);
        cluster.Grow(100);
        return (cluster, RandomCluster.NodeOf(random, $"node-{random.Next(3)}") with { HostPorts = [] });
    }

    private static IEnumerable<(string Question, Target Target, bool Outside, Answer Expected, Answer Actual)> Ask(
        ClusterSnapshot cluster, NodeContext asked, NodeContext compiled)
    {
        var datapath = new DatapathModel(ClusterCompiler.Compile(cluster, compiled, IdTable.Empty));
        var kubeProxy = new KubeProxyModel(cluster, asked);
        // What two service ports claim is a conflict, which kube-proxy leaves to chance and the golden cases show.
        foreach (var target in kubeProxy.Targets().GroupBy(t => (t.Address, t.Port, t.Protocol)).Where(g => g.Count() == 1)
            .Select(g => g.Single()))
            foreach (var client in Clients.Where(c => c.AddressFamily == target.Address.AddressFamily))
                foreach (var outside in new[] { false, true })
                    yield return (
                        $"{client}{(outside ? " outside" : "")} to {target}", target, outside, kubeProxy.Ask(target, client, outside),
                        datapath.Ask(target.Address, target.Port, target.Protocol, client, outside));
    }
}
