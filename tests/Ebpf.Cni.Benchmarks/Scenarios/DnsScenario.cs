using System.Globalization;
using System.Net;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Strain;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>Many short UDP flows beside many idle TCP connections.</summary>
internal static class DnsScenario
{
    public const int Seconds = 300;

    private const int PerSecond = 5_000, Idle = 10_000;

    public static async Task RunAsync(Report report, int seconds)
    {
        await using var cluster = await StrainCluster.StartAsync("bench-dns");
        using var held = new HeldConnections();
        foreach (var pod in cluster.Pods)
            await held.OpenAsync(pod, null, StrainCluster.World, Idle / cluster.Pods.Count);
        var agent = cluster.AgentTime();
        var servers = StrainCluster.Servers.Select(address => new IPEndPoint(address, StrainCluster.Port)).ToList();
        var queries = cluster.Pods.Select(_ => new Queries()).ToList();
        await Task.WhenAll(cluster.Pods.Zip(queries, (pod, asked) => Task.Run(
            () => asked.Run(pod, servers, PerSecond / cluster.Pods.Count, TimeSpan.FromSeconds(seconds)))));
        var used = (cluster.AgentTime() - agent) / TimeSpan.FromSeconds(seconds);
        await held.AskAsync();
        var (sent, answered) = (queries.Sum(q => q.Sent), queries.Sum(q => q.Answered));
        report.Add(new Section(
            Text($"{PerSecond:N0} queries/s beside {Idle:N0} idle connections"),
            $"For {seconds} s two pods of one node send UDP queries to {servers.Count} servers outside, each from a new socket. They "
            + "hold idle TCP connections to one of the servers. All flows are masqueraded; the connection tables have their default sizes. "
            + "At the end there is one exchange on each connection. A connection without an answer for 10 s is lost. A query is "
            + "unanswered if its answer is not there when its socket is closed, 1,024 queries of its pod later.",
            [
                new Figure("idle connections lost", Text($"**{held.Lost}** of {held.Count:N0}"), "none"),
                new Figure("slowest answer at the end", Text($"{held.Slowest.TotalMilliseconds:0} ms")),
                new Figure("queries", Text($"{sent:N0}, {(double)(sent - answered) / sent:0.000%} unanswered")),
                new Figure("agent's CPU time", Text($"{used:0.0%} of a core"), "< 5 % of a core"),
            ]));
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
