using System.Globalization;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Rivals;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>
/// The storm of Services as kube-proxy's modes would meet it: what has come since is written once a second, which is their default.
/// </summary>
internal static class RivalStorm
{
    private const int Syncs = 200, PerSync = StormScenario.Services / Syncs, Sampled = 10;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    public static void Run(Report report)
    {
        var figures = new List<Figure>();
        using var iptables = PlainNode.Start("storm-iptables");
        using var nftables = PlainNode.Start("storm-nftables");
        foreach (var present in new[] { 0, StormScenario.Present })
        {
            figures.Add(Measure(
                iptables, "iptables", present, IptablesRules.Full, IptablesRules.Added, RivalScenario.Restore,
                [.. RivalScenario.Restore, "--noflush"]));
            figures.Add(Measure(
                nftables, "nftables", present, all => "add table ip kube-proxy\ndelete table ip kube-proxy\n" + NftablesRules.Full(all),
                (added, _) => NftablesRules.Added(added), ["nft", "-f", "-"], ["nft", "-f", "-"]));
        }
        report.Add(new Section(
            "The same storm, by the rules that kube-proxy writes",
            $"{StormScenario.Services:N0} Services × {ServiceSet.EndpointsEach} endpoints, written {PerSync} at a time: what comes in a "
            + $"second at "
            + "the storm's rate, kube-proxy's interval. The commands alone, which need a processor for as long as they take: neither "
            + "kube-proxy "
            + $"nor its watches. Beside {StormScenario.Present:N0}, the first {Sampled} of {Syncs} writes, taken {Syncs / Sampled} times.",
            figures));
    }

    private static Figure Measure(
        PlainNode node, string who, int present, Func<IReadOnlyList<BenchService>, string> full,
        Func<IReadOnlyList<BenchService>, IReadOnlyList<BenchService>, string> added, string[] load, string[] change)
    {
        var all = Enumerable.Range(0, present).Select(ServiceSet.Other).ToList();
        var what = $"{who}: {StormScenario.Services:N0} created, beside {present:N0}";
        if (node.Load(Limit, full(all), load) is null)
            return new Figure(
                what,
                string.Create(CultureInfo.InvariantCulture, $"{present:N0} were not loaded (stopped after {Limit.TotalSeconds:0} s)"));
        var (sum, last, syncs) = (TimeSpan.Zero, TimeSpan.Zero, present == 0 ? Syncs : Sampled);
        for (var sync = 0; sync < syncs; sync++)
        {
            var fresh = Enumerable.Range(all.Count, PerSync).Select(ServiceSet.Other).ToList();
            all.AddRange(fresh);
            last = node.Load(Limit, added(fresh, all), change) ?? Limit;
            sum += last;
        }
        return new Figure(what, string.Create(
            CultureInfo.InvariantCulture,
            $"{sum.TotalSeconds * Syncs / syncs:0.0} s ({sum.TotalMilliseconds / syncs:0} ms a write, the last {last.TotalMilliseconds:0} "
                + $"ms)"));
    }
}
