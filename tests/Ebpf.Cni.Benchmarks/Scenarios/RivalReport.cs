using System.Globalization;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>The comparison as tables and plots.</summary>
internal static class RivalReport
{
    /// <summary>A second cluster of ours that has one service for all the time, measured in the same rounds as the others.</summary>
    public const string Single = "ebpf-cni, 1 service";

    private static readonly (string Who, string Colour)[] Contestants =
        [("direct", "#999999"), ("ebpf-cni", "#0b6e4f"), ("iptables", "#c8553d"), ("nftables", "#3a6ea5")];

    public static async Task WriteAsync(
        Report report,
        IReadOnlyList<(int Services, IReadOnlyDictionary<(string Who, string Protocol),
            IReadOnlyList<double>> PerSecond, IReadOnlyDictionary<string, TimeSpan?> Loads,
            IReadOnlyDictionary<string, double> ChangeMilliseconds)> results,
        TimeSpan limit)
    {
        var sizes = results.Select(r => r.Services.ToString("#,0", CultureInfo.InvariantCulture)).ToList();
        var pictures = new List<string>();
        foreach (var protocol in new[] { "tcp", "udp" })
        {
            pictures.Add($"connections-{protocol}.svg");
            var lines = Contestants.Select(
                c => new Series(c.Who, c.Colour,
                [.. results.Select(r => r.PerSecond.TryGetValue((c.Who, protocol), out var rates)
                ? RoundRatios.Median(rates) : (double?)null)]));
            await SaveAsync(pictures[^1], Plot.Svg($"New {protocol.ToUpperInvariant()} connections per second, one after the other",
                "per second", sizes, [.. lines]));
        }
        report.Add(new Table(
            "New connections, against the rules that kube-proxy writes",
            "One client and one server on the same node and core. A connection is connect, 64 bytes each way, close (UDP: a new "
            + "socket, one datagram each way); connections follow one another. Figures are medians of 11 rounds with every contestant "
            + "in each. The sizes are measured minutes apart, and the speed of a shared machine varies. Percentages and ratios are "
            + "therefore medians of each round's own, between contestants measured within half a second. At every size a second "
            + "ebpf-cni cluster with one Service takes part in the same rounds; the last column compares with it. iptables and "
            + "nftables: namespaces with plain veth routing, and rules of the shape that kube-proxy writes for the same Services. These "
            + "have 4 endpoints each; the measured Service is in the middle. direct: plain veth routing to the pod, no rules. "
            + "Percentages are of that.",
            ["services", "protocol", "direct", "ebpf-cni", "iptables", "nftables", "ours / iptables", "ours / nftables",
                "ours / ours with 1 service"],
            [.. results.SelectMany(r => new[] { "tcp", "udp" }.Select(p => Row(r.Services, p, r.PerSecond, r.Loads, limit)))], pictures));

        var changing = results.Where(r => r.ChangeMilliseconds.Count > 0).ToList();
        if (changing.Count == 0)
            return;
        await SaveAsync("endpoint-change.svg", Plot.Svg(
            "One endpoint changes: time until it is in effect", "ms, logarithmic",
            [.. changing.Select(r => r.Services.ToString("#,0", CultureInfo.InvariantCulture))],
            [.. Contestants.Skip(1)
                .Select(c => new Series(c.Who, c.Colour,
                [.. changing.Select(r => r.ChangeMilliseconds.TryGetValue(c.Who, out var ms) && double.IsFinite(ms)
                ? ms : (double?)null)]))],
            logarithmic: true));
        report.Add(new Table(
            "One endpoint changes",
            "ebpf-cni: from the request to the API server until the node's table holds it (API, watch, compile, apply; two agents on the "
            + "machine). iptables, nftables: the command that "
            + "writes the change alone (`iptables-restore --noflush` with the changed chains, one `nft` transaction), without kube-proxy "
                + "and API. Medians.",
            ["services", "ebpf-cni", "iptables", "nftables", "loading everything: iptables", "nftables"],
            [.. changing.Select(r => (IReadOnlyList<string>)[
                r.Services.ToString("#,0", CultureInfo.InvariantCulture), Change(r.ChangeMilliseconds, "ebpf-cni"),
                    Change(r.ChangeMilliseconds, "iptables"), Change(r.ChangeMilliseconds, "nftables"),
                Load(r.Loads["iptables"], limit), Load(r.Loads["nftables"], limit)])],
            ["endpoint-change.svg"]));
    }

    private static IReadOnlyList<string> Row(
        int services, string protocol, IReadOnlyDictionary<(string Who, string Protocol),
        IReadOnlyList<double>> rates, IReadOnlyDictionary<string, TimeSpan?> loads, TimeSpan limit)
    {
        var direct = rates[("direct", protocol)];
        var ours = rates[("ebpf-cni", protocol)];
        return
        [
            services.ToString("#,0", CultureInfo.InvariantCulture), protocol.ToUpperInvariant(),
                RoundRatios.Median(direct).ToString("#,0", CultureInfo.InvariantCulture), Share(ours), Rival("iptables"), Rival("nftables"),
            Ratio("iptables"), Ratio("nftables"), Ratio(Single),
        ];

        string Share(IReadOnlyList<double> rate) =>
            string.Create(CultureInfo.InvariantCulture, $"{RoundRatios.Median(rate):#,0} ({new RoundRatios(rate, direct).Median():0%})");
        string Rival(string who) => rates.TryGetValue((who, protocol), out var rate)
            ? Share(rate) : $"not loaded ({Load(loads[who], limit)})";
        string Ratio(string who) => rates.TryGetValue((who, protocol), out var rate) ? new RoundRatios(ours, rate).Text() : "";
    }

    private static string Change(IReadOnlyDictionary<string, double> changes, string who) =>
        changes.TryGetValue(who, out var ms) && double.IsFinite(ms) ? string.Create(CultureInfo.InvariantCulture, $"{ms:#,0.0} ms") : "";

    private static string Load(TimeSpan? time, TimeSpan limit) => time is { } t
        ? string.Create(CultureInfo.InvariantCulture, $"{t.TotalSeconds:0.0} s")
        : string.Create(CultureInfo.InvariantCulture, $"stopped after {limit.TotalSeconds:0} s");

    private static Task SaveAsync(string name, string svg) => File.WriteAllTextAsync(Path.Combine(Repository.Root, "docs", name), svg);
}
