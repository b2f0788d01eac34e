namespace Ebpf.Cni.EndToEnd.Tests.Routing;

/// <summary>Everybody asks everybody: pods and nodes ask pods, nodes, a cluster IP, and a NodePort on every node.</summary>
internal static class Matrix
{
    public static async Task<IReadOnlyList<Answered>> Ask(RoutingCluster cluster)
    {
        Target[] targets =
        [
            .. cluster.Letters.SelectMany(cluster.PodTargets),
            .. cluster.Letters.SelectMany(cluster.NodeTargets),
            .. cluster.ClusterIPs.Select(a => new Target("service", a, RoutingCluster.ServicePort)),
            .. cluster.Letters.SelectMany(l => cluster.NodeAddresses(l).Select(a => new Target($"nodeport-{l}", a, cluster.NodePort))),
        ];
        var clients = cluster.Letters.SelectMany(l => new[] { $"pod-{l}", $"node-{l}" });
        var answers = new List<Answered>();
        // two at a time: a client's questions are asked side by side already
        foreach (var pair in clients.Chunk(2))
            foreach (var answered in await Task.WhenAll(pair.Select(client => cluster.AskAll(client, targets))))
                answers.AddRange(answered);
        Assert.Equal(6 * targets.Length, answers.Count);
        return answers;
    }

    /// <summary>A line for each pair, family and protocol.</summary>
    public static void Print(string title, IEnumerable<Answered> answers)
    {
        foreach (var answer in answers)
            foreach (var protocol in (ReadOnlySpan<string>)["tcp", "udp"])
                Console.WriteLine(
                    $"matrix: {title} {answer.From} -> {answer.To} {answer.Family} {protocol} small {Mark(answer, protocol + " small")} "
                        + $"large {Mark(answer, protocol + " large")} | {(answer.Ok ? "ok" : "FAILED")}");
    }

    /// <summary>
    /// A node's own datagrams that are too big for the tunnel, sent to another's NodePort at the address where its tunnel over IPv6 ends:
    /// telling the size would break the tunnel, so they are dropped (docs/networking.md).
    /// </summary>
    public static IReadOnlyList<Answered> WithoutLargeToTunnelEnds(IEnumerable<Answered> answers) => [.. answers.Select(a =>
        a is { Family: "IPv6" } && a.From.StartsWith("node-", StringComparison.Ordinal)
            && a.To.StartsWith("nodeport-", StringComparison.Ordinal) && a.From[^1] != a.To[^1]
            ? a with { Answers = a.Answers.Where(q => q.Key != "udp large").ToDictionary() }
            : a)];

    /// <summary>
    /// Sizes are learned by losing datagrams, and while many learn at once, four tries may all be among the lost: who failed in nothing but
    /// that is asked once more by itself. Printed.
    /// </summary>
    public static async Task<IReadOnlyList<Answered>> LargeOnceMore(RoutingCluster cluster, IReadOnlyList<Answered> answers)
    {
        var settled = new List<Answered>();
        foreach (var answer in answers)
            settled.Add(answer.Ok || answer.Answers.Any(q => q.Key != "udp large" && q.Value.StartsWith("failed", StringComparison.Ordinal))
                ? answer
                : Assert.Single(await cluster.AskAll(answer.From, [cluster.TargetOf(answer)])));
        Console.WriteLine($"matrix: {answers.Count(a => !a.Ok)} pairs were asked a second time for a large datagram");
        return settled;
    }

    public static void PrintSum(string title, IReadOnlyCollection<Answered> answers) =>
        Console.WriteLine($"matrix: {title} {answers.Count(a => a.Ok)} of {answers.Count} pairs in both protocols, small and large | "
            + $"{(answers.All(a => a.Ok) ? "ok" : "FAILED")}");

    /// <summary>Everything was answered, by whom it should; and nobody inside the cluster was taken for anybody else.</summary>
    public static void Check(RoutingCluster cluster, IReadOnlyCollection<Answered> answers)
    {
        Assert.True(answers.All(a => a.Ok), string.Join("\n", answers.Where(a => !a.Ok)));
        foreach (var answer in answers)
        {
            var expected = answer.To[..^1] switch
            {
                "pod-" => [answer.To],
                "node-" => ["host-" + answer.To[^1]],
                _ => cluster.Letters.Select(l => "pod-" + l).ToArray(),
            };
            Assert.All(answer.Servers, s => Assert.Contains(s, expected));
            if (answer.From.StartsWith("pod-", StringComparison.Ordinal) && !answer.To.StartsWith("nodeport", StringComparison.Ordinal))
                Assert.All(answer.Peers, p => Assert.Contains(p, HairpinOr(cluster.AddressesOf(answer.From), answer)));
        }
    }

    /// <summary>A pod that reaches itself through a Service sees a substitute.</summary>
    private static IEnumerable<string> HairpinOr(IReadOnlyList<string> own, Answered answer) =>
        answer.To == "service" ? [.. own, "169.254.1.1", "100::ecc:1"] : own;

    private static string Mark(Answered answer, string question) =>
        answer.Answers.TryGetValue(question, out var text) && !text.StartsWith("failed", StringComparison.Ordinal) ? "ok" : "failed";
}
