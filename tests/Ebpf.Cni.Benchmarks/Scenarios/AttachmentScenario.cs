using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Benchmarks.Attachments;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>
/// Many pods of one node get their networks and lose them again, several at once, from us and from the plugins that Debian has.
/// </summary>
internal static class AttachmentScenario
{
    public const int Rounds = 3;

    private const int Pods = 200, AtOnce = 20;

    public static async Task RunAsync(Report report, int rounds)
    {
        await using var cluster = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = "bench-pods",
            Nodes = 1,
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
            AgentArguments = ["--ip-reuse-delay", "0"], // more pods in a minute than a /24 has addresses
        });
        await using var linked = await SandboxCluster.StartAsync(new SandboxOptions
        {
            Name = "bench-links",
            Nodes = 1,
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
            AgentArguments = ["--ip-reuse-delay", "0", "--pod-attachment", "tcx"],
        });
        var (node, links) = (cluster.Nodes.Values.Single(), linked.Nodes.Values.Single());
        using var namespaces = new AttachmentNamespaces(Pods);
        namespaces.ShowTo(node);
        namespaces.ShowTo(links);
        using var bridge = new BridgeNode();
        Attacher[] contestants =
        [
            new AgentAttacher("ebpf-cni, in the agent", node), PluginAttacher.Ours("ebpf-cni, through the plugin", node),
            new AgentAttacher("with --pod-attachment tcx, in the agent", links),
            PluginAttacher.Ours("with --pod-attachment tcx, through the plugin", links),
            bridge.Attacher("bridge + host-local, IPv4 alone", "one", "10.245.0.0/23"),
            bridge.Attacher("bridge + host-local, both families", "two", "10.246.0.0/23", "fd00:10:246::/112"),
        ];
        var results = contestants.ToDictionary(c => c, _ => new Outcome());
        foreach (var contestant in contestants)
            await RoundAsync(contestant, AtOnce, "w", new Outcome()); // warming up: bridges are made, code is loaded
        for (var round = 0; round < rounds; round++)
            for (var i = 0; i < contestants.Length; i++)
            {
                var contestant = contestants[(i + round) % contestants.Length];
                await RoundAsync(contestant, Pods, $"r{round}", results[contestant]);
            }
        report.Add(new Table(
            $"{Pods} pods on a node, {AtOnce} at once",
            $"CNI ADD of {Pods} pods, then DEL of all, {AtOnce} in progress at any time, in {rounds} rounds with every contestant in "
            + "each. The pods' namespaces exist before. \"In the agent\": requests over its socket, as the plugin sends them. Through "
            + "the plugin, and bridge with host-local (Debian's containernetworking-plugins): from the start of the process to its end, "
            + "with the configuration on its standard input. ebpf-cni gives every pod addresses of both families. bridge with IPv6 "
            + "waits for duplicate address detection; without IPv6 it has less to do. ADD includes the wait until the veth forwards. It "
            + "also includes two (ebpf-cni) or no (bridge) writes that are on disk when it returns. The first two rows are the default, "
            + "programs as clsact filters. Each tcx link waits for an RCU grace period under the lock of all network configuration: two "
            + "in an ADD, two in a DEL. So pods that start at once wait for each other. Bar: ADD p99 in the agent < 100 ms, no failure.",
            ["", "ADD p50", "ADD p99", "ADD most", "DEL p50", "DEL p99", "pods per second", "failures"],
            [.. contestants.Select(c => results[c].Row(c.Name))], []));
        foreach (var failure in results.SelectMany(r => r.Value.Failures.Distinct().Take(3).Select(f => $"{r.Key.Name}: {f}")))
            Console.WriteLine(failure);
    }

    private static async Task RoundAsync(Attacher attacher, int pods, string round, Outcome outcome)
    {
        var started = Stopwatch.GetTimestamp();
        await AllAsync("ADD", outcome.Adds);
        outcome.Add(pods, Stopwatch.GetElapsedTime(started));
        await AllAsync("DEL", outcome.Deletes);

        Task AllAsync(string command, ConcurrentBag<double> times) => Parallel.ForAsync(
            0, pods, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (pod, _) =>
            {
                var since = Stopwatch.GetTimestamp();
                var failure = await attacher.RunAsync(command, pod, $"bench-{round}-{pod}");
                times.Add(Stopwatch.GetElapsedTime(since).TotalMilliseconds);
                if (failure is not null)
                    outcome.Failures.Add($"{command}: {failure}");
            });
    }

    private sealed class Outcome
    {
        private int _pods;
        private TimeSpan _time;

        public ConcurrentBag<double> Adds { get; } = [];

        public ConcurrentBag<double> Deletes { get; } = [];

        public ConcurrentBag<string> Failures { get; } = [];

        public void Add(int pods, TimeSpan time) => (_pods, _time) = (_pods + pods, _time + time);

        public IReadOnlyList<string> Row(string name) =>
        [
            name, At(Adds, 0.5), At(Adds, 0.99), At(Adds, 1), At(Deletes, 0.5), At(Deletes, 0.99),
            string.Create(CultureInfo.InvariantCulture, $"{_pods / _time.TotalSeconds:0}"),
            Failures.Count.ToString(CultureInfo.InvariantCulture),
        ];

        private static string At(ConcurrentBag<double> times, double share)
        {
            var sorted = times.Order().ToList();
            return string.Create(CultureInfo.InvariantCulture, $"{sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))]:0.0} ms");
        }
    }
}
