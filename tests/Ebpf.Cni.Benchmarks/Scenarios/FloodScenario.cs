using System.Diagnostics;
using System.Globalization;
using System.Net;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Strain;
using Ebpf.Cni.Sandbox.Fabric;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>A SYN flood at a NodePort beside established connections through the same node.</summary>
internal static class FloodScenario
{
    public const int Packets = 1_000_000;

    private const int Connections = 25;
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan Period = TimeSpan.FromMilliseconds(100);

    public static async Task RunAsync(Report report, int packets)
    {
        await using var cluster = await StrainCluster.StartAsync("bench-flood");
        var rows = new List<IReadOnlyList<string>>();
        foreach (var (what, service) in new[] { ("with endpoints", "open"), ("without endpoints", "empty") })
            rows.Add(await FloodAsync(cluster, what, await cluster.NodePortAsync(service), packets));
        report.Add(new Table(
            Text($"A flood of {packets:N0} SYNs at a NodePort"),
            "Real packets in a sandbox cluster. One thread sends them from outside to a NodePort of one node, as fast as it can. Each "
            + "has another source address and port. All processes share the machine. The endpoint of the first NodePort is a pod of the "
            + $"other node. Meanwhile {2 * Connections} connections exchange 64 bytes every {Period.TotalMilliseconds} ms. {Connections} "
            + $"come from outside through a NodePort of the flooded node, and {Connections} lead from a pod of that node to outside. A "
            + "connection without an answer for 10 s is lost. Sent back: answers to the flood that arrived outside, refusals or SYN-ACKs. "
            + "A "
            + "flood ends after three minutes at the latest. Agent: CPU time on the flooded node, from /proc.",
            ["NodePort", "packets", "duration", "sent back", "connections lost", "exchanges", "slowest exchange", "agent, of a core",
                "bar"],
            rows, []));
    }

    private static async Task<IReadOnlyList<string>> FloodAsync(StrainCluster cluster, string what, IPEndPoint target, int packets)
    {
        using var held = new HeldConnections();
        await held.OpenAsync(cluster.Outside, OutsideAddresses.V4(9), await cluster.NodePortAsync("open"), Connections);
        await held.OpenAsync(cluster.Pods[0], null, StrainCluster.World, Connections);
        using var end = new CancellationTokenSource();
        var asking = held.KeepAskingAsync(Period, end.Token);
        var (agent, unclaimed, clock) = (cluster.AgentTime(), Unclaimed.Packets(cluster.Outside), Stopwatch.StartNew());
        var sent = await Task.Run(() => SynFlood.Send(cluster.Outside, cluster.Node.Namespace, target, packets, Longest));
        var time = clock.Elapsed;
        var (used, back) = ((cluster.AgentTime() - agent) / time, Unclaimed.Packets(cluster.Outside) - unclaimed);
        await end.CancelAsync();
        await asking;
        await held.AskAsync();
        return
        [
            what, Text($"{sent:N0}"), Text($"{time.TotalSeconds:0.0} s"), Text($"{back:N0}"),
            Text($"**{held.Lost}** of {held.Count}"), Text($"{held.Exchanges:N0}"), Text($"{held.Slowest.TotalMilliseconds:0} ms"),
            Text($"**{used:0.0%}**"), "none lost; agent < 5 % of a core",
        ];
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
