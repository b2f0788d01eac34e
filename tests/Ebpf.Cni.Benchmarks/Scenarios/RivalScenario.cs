using System.Diagnostics;
using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Rivals;
using Ebpf.Cni.Benchmarks.Roles;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>
/// New connections to one service among many, for us and for the rules that kube-proxy would write for the same services, in turn, on the
/// same core; and how long one changed endpoint takes until it is in effect.
/// </summary>
internal static class RivalScenario
{
    private const int Rounds = 11, PerRound = 400, Changes = 6; // an even number: the last one restores
    private static readonly TimeSpan LoadLimit = TimeSpan.FromSeconds(60);

    public static int[] Sizes { get; } = [1, 1_000, 10_000, 30_000];

    private sealed record SizeResult(
        int Services, IReadOnlyDictionary<(string Who, string Protocol),
        IReadOnlyList<double>> PerSecond, IReadOnlyDictionary<string, TimeSpan?> Loads,
        IReadOnlyDictionary<string, double> ChangeMilliseconds);

    public static async Task RunAsync(Report report, int[] sizes)
    {
        var results = new List<SizeResult>();
        using var plain = PlainNode.Start("plain");
        using var iptables = PlainNode.Start("iptables");
        using var nftables = PlainNode.Start("nftables");
        await using var bench = await BenchCluster.StartAsync([]);
        await using var single = await BenchCluster.StartAsync([], "bench-single");
        await bench.Cluster.WaitForPodsReady("app=meter", 1);
        await single.Cluster.WaitForPodsReady("app=meter", 1);
        using var ourMeter = await MeterConnection.OpenAsync(bench.MeterSocket);
        using var singleMeter = await MeterConnection.OpenAsync(single.MeterSocket);
        using var plainMeter = await MeterConnection.OpenAsync(plain.MeterSocket);
        using var iptablesMeter = await MeterConnection.OpenAsync(iptables.MeterSocket);
        using var nftablesMeter = await MeterConnection.OpenAsync(nftables.MeterSocket);
        var (direct, service) = await bench.TargetsAsync();
        var (_, alone) = await single.TargetsAsync();
        var made = 0;
        foreach (var size in sizes)
        {
            var others = size - 1;
            await Parallel.ForAsync(made, Math.Max(made, others),
                async (i, _) => await OtherServices.CreateAsync(bench, $"other-{i}", i, ServiceSet.EndpointsEach));
            made = Math.Max(made, others);
            using var table = BpfMap.OpenPinned(Path.Combine(bench.Node.BpffsRoot, "maps", MapNames.Service));
            await Eventually.True(() => table.ReadAll<SvcKey, Svc>().Count(e => e.Value.Count == ServiceSet.EndpointsEach) >= others,
                $"{others} services", TimeSpan.FromSeconds(180));

            var set = ServiceSet.Around(others, PlainNode.ServiceAddress, PlainNode.Server, PlainNode.Port);
            var loads = new Dictionary<string, TimeSpan?>
            {
                ["iptables"] = iptables.Load(LoadLimit, IptablesRules.Full(set), Restore),
                ["nftables"] = nftables.Load(LoadLimit, "add table ip kube-proxy\ndelete table ip kube-proxy\n" + NftablesRules.Full(set),
                    "nft", "-f", "-"),
            };
            var contestants = new List<(string Who, MeterConnection Meter, string Target)>
            {
                ("direct", plainMeter, $"{PlainNode.Server}:{PlainNode.Port}"),
                ("direct, our node", ourMeter, direct.ToString()),
                ("ebpf-cni", ourMeter, service.ToString()),
                (RivalReport.Single, singleMeter, alone.ToString()),
            };
            if (loads["iptables"] is not null)
                contestants.Add(("iptables", iptablesMeter, PlainNode.ServiceAddress + ":80"));
            if (loads["nftables"] is not null)
                contestants.Add(("nftables", nftablesMeter, PlainNode.ServiceAddress + ":80"));
            var rates = Compare(contestants);
            var changes = new Dictionary<string, double>();
            if (others > 0)
            {
                changes["ebpf-cni"] = await ChangeOursAsync(bench, table);
                if (loads["iptables"] is not null)
                    changes["iptables"] = ChangeRules(iptables, s => IptablesRules.Change(s), [.. Restore, "--noflush"], set);
                if (loads["nftables"] is not null)
                    changes["nftables"] = ChangeRules(nftables, s => NftablesRules.Change(s), ["nft", "-f", "-"], set);
            }
            results.Add(new SizeResult(size, rates, loads, changes));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{size} services: "
                + $"{string.Join(", ", rates.Select(r => $"{r.Key.Who} {r.Key.Protocol} {RoundRatios.Median(r.Value):0}/s"))}; changes "
                + $"{string.Join(", ", changes.Select(c => $"{c.Key} {c.Value:0.0} ms"))}; loads "
                + $"{string.Join(", ", loads.Select(l => $"{l.Key} {l.Value?.TotalSeconds:0.0} s"))}"));
        }
        await RivalReport.WriteAsync(report, [.. results.Select(r => (r.Services, r.PerSecond, r.Loads, r.ChangeMilliseconds))], LoadLimit);
    }

    /// <summary>kube-proxy uses what the host uses; the legacy command is the faster of the two, so it is the one to beat.</summary>
    public static string[] Restore { get; } =
        [File.Exists("/usr/sbin/iptables-legacy-restore") ? "iptables-legacy-restore" : "iptables-restore"];

    /// <summary>Connections per second, a value a round; within a round everybody in turn, each round beginning with another.</summary>
    private static Dictionary<(string Who, string Protocol),
        IReadOnlyList<double>> Compare(List<(string Who, MeterConnection Meter, string Target)> contestants)
    {
        var samples = new Dictionary<(string, string), List<double>>();
        for (var round = -2; round < Rounds; round++)
        {
            foreach (var protocol in new[] { "tcp", "udp" })
            {
                for (var i = 0; i < contestants.Count; i++)
                {
                    var (who, meter, target) = contestants[(i + round + 2) % contestants.Count];
                    var rate = meter.Measure(protocol, target, PerRound);
                    if (round < 0)
                        continue; // warming up
                    if (!samples.TryGetValue((who, protocol), out var list))
                        samples[(who, protocol)] = list = [];
                    list.Add(rate);
                }
            }
        }
        return samples.ToDictionary(s => s.Key, s => (IReadOnlyList<double>)s.Value);
    }

    /// <summary>From the request to the API until the node's table has it; median, in milliseconds.</summary>
    private static async Task<double> ChangeOursAsync(BenchCluster bench, BpfMap table)
    {
        var service = await bench.Cluster.Client.GetAsync(ResourceTypes.Services, "default", "other-0");
        var key = new SvcKey(Addr.Parse(service["spec"]!["clusterIP"]!.GetValue<string>()), U16Be.FromHost(80), IpProtocol.Tcp,
            Scope.Internal);
        var times = new List<double>();
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        for (var i = 0; i < Changes; i++)
        {
            var endpoints = ServiceSet.EndpointsEach - 1 + (i & 1);
            var started = Stopwatch.GetTimestamp();
            await bench.Cluster.Client.PatchAsync(
                ResourceTypes.EndpointSlices, "default", "other-0-1",
                new JsonObject { ["endpoints"] = OtherServices.Slice("other-0", 0, endpoints)["endpoints"]!.DeepClone() });
            while (!(table.TryLookup<SvcKey, Svc>(key, out var value) && value.Count == endpoints))
            {
                if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(10))
                    throw new TimeoutException("a changed endpoint did not arrive within 10 s");
                await tick.WaitForNextTickAsync();
            }
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }
        return times.Order().ElementAt(times.Count / 2);
    }

    /// <summary>The command alone: neither kube-proxy nor an API is in this time.</summary>
    private static double ChangeRules(PlainNode node, Func<BenchService, string> rules, string[] command, IReadOnlyList<BenchService> set)
    {
        var other = set.First(s => s.Name == "other-0");
        var times = new List<double>();
        for (var i = 0; i < Changes; i++)
        {
            var changed = other with { Endpoints = [.. other.Endpoints.Take(ServiceSet.EndpointsEach - 1 + (i & 1))] };
            if (node.Load(LoadLimit, rules(changed), command) is not { } time)
                return double.PositiveInfinity;
            times.Add(time.TotalMilliseconds);
            if (time > TimeSpan.FromSeconds(20))
                break; // one of these says enough
        }
        return times.Order().ElementAt(times.Count / 2);
    }
}
