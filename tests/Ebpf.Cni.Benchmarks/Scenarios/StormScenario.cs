using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Strain;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>What a storm of objects costs the agent of a node, as a whole process: watch, decoding, compile and kernel.</summary>
internal static class StormScenario
{
    public const int Services = 10_000, Present = 30_000;
    private const int PerSecond = 100, DeletedPerSecond = 200, ChangesPerSecond = 1_000, ChangedSeconds = 60;
    private const int LargeSlices = 100, LargePerSlice = 100, LargePerSecond = 20, LargeSeconds = 30;
    private const int Lone = 100, New = 200, LonePerSecond = 4;
    private const int Nodes = 5_000, ForeignRoutes = 100_000;

    private static readonly string[] Columns =
    [
        "what happens", "objects/s", "agent's CPU", "each", "of a core", "resident, most, and in the end", "writes each",
        "behind: median", "p99", "most", "observer blind", "bar",
    ];

    /// <param name="report">Gets the table.</param>
    /// <param name="part">A so many times shorter storm, for a quick look; 1: all of it.</param>
    public static async Task RunAsync(Report report, int part)
    {
        await using var node = await StormyNode.StartAsync();
        await node.MeasureAsync("nothing happens for 10 s", "", 1, 1, _ => StormyNode.WatchAsync(10));
        await CreateAndDeleteAsync(node, 0, Services / part);
        await node.MeasureAsync($"{Present:N0} created at once", "", 2 * Present, 0, _ => node.CreateAsync(0, Present, 0));
        await CreateAndDeleteAsync(node, Present, Services / part);
        report.Add(new Table(
            "A storm of objects, by the whole agent",
            $"A node's agent (the published native binary) beside an API server. Services have {StormObjects.Endpoints} endpoints. "
            + "Objects are as large as the real API server's, managed fields and references included, and come one after the other. CPU "
            + "time is the agent process's, from /proc. Resident: the maximum of VmRSS, sampled every 20 ms, and its value at the end. "
            + "Writes: the agent's own count of writes to tables and routes. Behind: from a change in the API server's store until the "
            + "kernel's table shows it. The API server's process samples the table every millisecond, so its own part (encoding, TLS) "
            + "is included. Observer blind: the longest time in which that process did not run; it explains as much of the delay. All "
            + "share the machine.",
            Columns, node.Rows, []));
    }

    /// <param name="report">Gets the table.</param>
    /// <param name="part">As above.</param>
    public static async Task RunPresentAsync(Report report, int part)
    {
        await using var node = await StormyNode.StartAsync();
        await node.MeasureAsync($"{Present:N0} created at once", "", 2 * Present, 0, _ => node.CreateAsync(0, Present, 0));
        await node.MeasureAsync("nothing happens for 25 s", "", 1, 1, _ => StormyNode.WatchAsync(25));
        var beside = $"beside {Present:N0}";
        var (changes, large) = (ChangesPerSecond * ChangedSeconds / part, LargePerSecond * LargeSeconds / part);
        await node.MeasureAsync(
            $"endpoints change, {beside}", "never > 200 ms behind, ≤ 30 % of a core", changes, ChangesPerSecond,
            rate => node.ChangeAsync(changes, rate));
        await node.LargeAsync();
        await node.MeasureAsync(
            $"an endpoint of {LargeSlices * LargePerSlice:N0} changes", "never > 500 ms behind", large, LargePerSecond,
            rate => node.ChangeLargeAsync(large, rate));
        // the memory of the storm before is given back meanwhile
        await node.MeasureAsync("nothing happens for 25 s", "", 1, 1, _ => StormyNode.WatchAsync(25));
        await node.MeasureAsync(
            $"one endpoint changes, {beside}", "≤ 3 ms, ≤ 2 writes", Lone, LonePerSecond, rate => node.ChangeAsync(Lone, rate));
        await node.MeasureAsync(
            $"a new Service (two objects), {beside}", "p99 ≤ 50 ms", 2 * New, 2 * LonePerSecond,
            rate => node.CreateAsync(Present, New, rate));
        await node.MeasureAsync($"restart, with {Present + New:N0}", "", 1, 1, _ => node.RestartAsync());
        report.Add(new Table(
            $"Changes beside {Present:N0} Services, by the whole agent", "Measured as the storm above.", Columns, node.Rows, []));
    }

    public static async Task RunNodesAsync(Report report)
    {
        await using var node = await StormyNode.StartAsync("--routing", "direct");
        await node.MeasureAsync("2 Nodes, nothing happens for 20 s", "", 1, 1, _ => StormyNode.WatchAsync(20));
        await node.MeasureAsync($"{Nodes:N0} Nodes join", "", Nodes, 0, _ => node.JoinAsync());
        await node.MeasureAsync($"{ForeignRoutes:N0} foreign routes are added", "", ForeignRoutes, 0, _ => node.AddRoutesAsync());
        await node.MeasureAsync("every Node's status each 10 s, for a minute", "≤ 2 % of a core", Nodes * 6, Nodes / 10, node.BeatAsync);
        report.Add(new Table(
            $"{Nodes:N0} Nodes and {ForeignRoutes:N0} foreign routes",
            "Direct routing; measured as the storm above. A status update carries 50 images and changes the heartbeats of four conditions.",
            Columns, node.Rows, []));
    }

    private static async Task CreateAndDeleteAsync(StormyNode node, int present, int count)
    {
        var beside = present > 0 ? $", beside {present:N0}" : "";
        await node.MeasureAsync(
            $"{count:N0} created{beside}", "CPU ≤ 8 s, resident ≤ 90 MiB", 2 * count, PerSecond,
            rate => node.CreateAsync(present, count, rate));
        await node.MeasureAsync(
            $"{count:N0} deleted{beside}", "CPU ≤ 4 s", 2 * count, DeletedPerSecond, rate => node.DeleteAsync(present, count, rate));
        await node.MeasureAsync("nothing happens for 25 s", "resident ≤ 70 MiB in the end", 1, 1, _ => StormyNode.WatchAsync(25));
    }

    /// <summary>A cluster of one node whose API server is written to directly.</summary>
    private sealed class StormyNode : IAsyncDisposable
    {
        private const int Large = 60_000;
        private readonly SandboxCluster _cluster;
        private readonly int[] _ready = new int[Present];
        private TableLag? _lag;

        private StormyNode(SandboxCluster cluster) => _cluster = cluster;

        private SandboxNode Node => _cluster.Nodes.Values.First();

        private ObjectStore Store => _cluster.Api.Store;

        public List<IReadOnlyList<string>> Rows { get; } = [];

        public static async Task<StormyNode> StartAsync(params string[] agentArguments)
        {
            var options = new SandboxOptions
            {
                Name = "bench-storm",
                Nodes = 1,
                Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
                AgentArguments = agentArguments,
            };
            return new StormyNode(await SandboxCluster.StartAsync(options));
        }

        /// <param name="rate">Given to <paramref name="act"/>, objects a second; 0: as fast as it goes.</param>
        public async Task MeasureAsync(string what, string bar, int objects, double rate, Func<double, Task> act)
        {
            using var lag = _lag = new TableLag(Node.BpffsRoot);
            var pid = Pid;
            using var memory = new ResidentMemory(pid);
            var (before, written, clock) = (Cpu(pid), await WritesAsync(), Stopwatch.StartNew());
            await act(rate);
            var behind = await lag.AllSeenAsync();
            var took = clock.Elapsed;
            var (used, writes) = Pid == pid ? (Cpu(pid) - before, await WritesAsync() - written) : (Cpu(Pid), await WritesAsync());
            var (several, rest) = (objects > 1, ResidentMemory.OfNow(Pid));
            Rows.Add(
            [
                what, several ? Text($"{objects / took.TotalSeconds:N0}") : "", Text($"**{used.TotalSeconds:0.00} s**"),
                several ? Text($"{used.TotalMilliseconds / objects:0.000} ms") : "", Text($"{used / took:0.0%}"),
                Text($"{memory.Most / 1048576.0:0} MiB, then {rest / 1048576.0:0}"),
                several ? Text($"{writes / objects:0.0}") : Text($"{writes:0}"),
                Behind(behind, 0.5), Behind(behind, 0.99), Behind(behind, 1), Text($"{lag.Blind.TotalMilliseconds:0} ms"), bar,
            ]);
            Console.WriteLine(string.Join(" | ", Rows[^1]));
        }

        public Task CreateAsync(int first, int count, double rate) => Pace.RunAsync(2 * count, rate, i =>
        {
            var number = first + i / 2;
            if (i % 2 == 0)
            {
                Store.Create(ResourceTypes.Services, StormObjects.Service(number));
                return;
            }
            Store.Create(ResourceTypes.EndpointSlices, StormObjects.Slice(number));
            if (number < Present)
                _ready[number] = StormObjects.Endpoints;
            _lag!.Expect(number, StormObjects.Endpoints);
        });

        public Task DeleteAsync(int first, int count, double rate) => Pace.RunAsync(2 * count, rate, i =>
        {
            var number = first + i / 2;
            if (i % 2 == 0)
                Store.Remove(ResourceTypes.EndpointSlices, StormObjects.Namespace, StormObjects.SliceName(number));
            else
                Store.Remove(ResourceTypes.Services, StormObjects.Namespace, StormObjects.ServiceName(number));
            if (i % 2 == 1)
                _lag!.Expect(number, 0);
        });

        /// <summary>One endpoint of one Service after the other becomes ready or ceases to be.</summary>
        public Task ChangeAsync(int count, double rate) => Pace.RunAsync(count, rate, i =>
        {
            var number = (int)(i * 7919L % Present);
            _ready[number] = 2 * StormObjects.Endpoints - 1 - _ready[number];
            Replace(number, 0, _ready[number], StormObjects.Endpoints);
            _lag!.Expect(number, _ready[number]);
        });

        public async Task LargeAsync()
        {
            Store.Create(ResourceTypes.Services, StormObjects.Service(Large));
            for (var part = 0; part < LargeSlices; part++)
                Store.Create(ResourceTypes.EndpointSlices, StormObjects.Slice(Large, part, LargePerSlice, LargePerSlice));
            using var lag = new TableLag(Node.BpffsRoot);
            lag.Expect(Large, LargeSlices * LargePerSlice);
            await lag.AllSeenAsync();
        }

        public Task ChangeLargeAsync(int count, double rate)
        {
            var all = LargeSlices * LargePerSlice;
            return Pace.RunAsync(count, rate, i =>
            {
                var less = i / LargeSlices % 2 == 0;
                Replace(Large, i % LargeSlices, less ? LargePerSlice - 1 : LargePerSlice, LargePerSlice);
                all += less ? -1 : 1;
                _lag!.Expect(Large, all);
            });
        }

        public async Task RestartAsync()
        {
            await Node.StopAgentAsync();
            await Node.StartAgentAsync();
            await Node.WaitAgentReadyAsync();
        }

        public async Task JoinAsync()
        {
            await IpAsync("addr", "add", $"{Node.Addresses.V4}/{StormObjects.NodeNetworkLength}", "dev", "eth0");
            for (var i = 0; i < Nodes; i++)
                Store.Create(ResourceTypes.Nodes, StormObjects.Node(i));
            await Eventually.True(
                async () => await SampleAsync("ebpf_cni_peer_routes") >= Nodes, "a route to every node", TimeSpan.FromSeconds(60));
        }

        public async Task AddRoutesAsync()
        {
            var file = Path.GetTempFileName();
            await File.WriteAllLinesAsync(file, Enumerable.Range(0, ForeignRoutes).Select(
                i => $"route add 100.{64 + i / 65_536}.{i / 256 % 256}.{i % 256}/32 dev lo proto 186"));
            await IpAsync("-batch", file);
            File.Delete(file);
        }

        public Task BeatAsync(double rate) => Pace.RunAsync(Nodes * 6, rate, i => Store.Update(
            ResourceTypes.Nodes, "", $"storm-{i % Nodes}", node =>
            {
                node["status"]!["conditions"] = StormObjects.Conditions(i / Nodes + 1);
                return node;
            }));

        public ValueTask DisposeAsync() => _cluster.DisposeAsync();

        private int Pid => Node.AgentPid ?? throw new InvalidOperationException("the agent is gone");

        private static TimeSpan Cpu(int pid) => AgentProcessFigures.Read(pid).CpuTime;

        private void Replace(int number, int part, int ready, int of) => Store.Update(
            ResourceTypes.EndpointSlices, StormObjects.Namespace, StormObjects.SliceName(number, part), slice =>
            {
                slice["endpoints"] = StormObjects.EndpointsOf(number, part, ready, of);
                return slice;
            });

        public static Task WatchAsync(int seconds) => Pace.RunAsync(seconds + 1, 1, _ => { });

        private Task<double> WritesAsync() => SampleAsync("ebpf_cni_kernel_writes_total");

        // all series of a metric
        private async Task<double> SampleAsync(string name) => (await Node.MetricsAsync()).Split('\n')
            .Where(l => l.StartsWith(name + " ", StringComparison.Ordinal) || l.StartsWith(name + "{", StringComparison.Ordinal))
            .Sum(l => double.Parse(l[(l.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));

        private async Task IpAsync(params string[] arguments)
        {
            var start = new ProcessStartInfo("nsenter", ["--net=" + Node.NamespacePath, "ip", .. arguments])
            {
                RedirectStandardError = true,
            };
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"ip {string.Join(' ', arguments)}: {await errors}");
        }
    }

    private static string Behind(IReadOnlyList<double> sorted, double part) =>
        sorted.Count == 0 ? "" : Text($"{sorted[(int)((sorted.Count - 1) * part)]:0} ms");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
