using System.ComponentModel;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Benchmarks.Roles;
using Ebpf.Cni.Benchmarks.Strain;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>What new connections notice of agents that are killed and started again, in a quiet cluster and in a storm.</summary>
internal sealed class ReplacementScenario : IAsyncDisposable
{
    public const int Services = 10_000, DeletedPerSecond = 200;
    private const int Port = 7000;

    private static readonly string Self = typeof(ReplacementScenario).Assembly.Location;
    private static readonly TimeSpan Phase = TimeSpan.FromSeconds(2 * Services / DeletedPerSecond), Period = TimeSpan.FromSeconds(15);

    private readonly SandboxCluster _cluster;
    private readonly List<IReadOnlyList<string>> _rows = [];

    private ReplacementScenario(SandboxCluster cluster) => _cluster = cluster;

    public static async Task RunAsync(Report report)
    {
        var options = new SandboxOptions
        {
            Name = "bench-replace",
            Nodes = 3,
            Artifacts = Path.GetDirectoryName(Repository.Artifact("ebpf-cni-agent"))!,
        };
        await using var scenario = new ReplacementScenario(await SandboxCluster.StartAsync(options));
        await scenario.FillAsync();
        await scenario.MeasureAsync("nothing", _ => Task.Delay(Phase, CancellationToken.None));
        await scenario.MeasureAsync("all agents are killed and started again and again", scenario.ReplaceAsync);
        await scenario.CreateAsync();
        await scenario.MeasureAsync($"{Services:N0} Services are deleted", _ => scenario.DeleteAsync());
        await scenario.CreateAsync();
        await scenario.MeasureAsync("both", async over =>
        {
            using var deleted = CancellationTokenSource.CreateLinkedTokenSource(over);
            var replacing = scenario.ReplaceAsync(deleted.Token);
            await scenario.DeleteAsync();
            await deleted.CancelAsync();
            await replacing;
        });
        report.Add(new Table(
            "Agents replaced in a storm",
            $"Three nodes. For {Phase.TotalSeconds:0} s, a pod on each opens connections to a Service by the socket hook, one after "
            + "the other. An external client does so to its NodePort, by the uplink programs. A connection without an answer after 3 s "
            + $"has failed. Services are deleted as in the storm above. Every {Period.TotalSeconds:0} s all agents are killed (SIGKILL) "
            + $"at once and started at once. All share the machine's {Environment.ProcessorCount} processors. On a real cluster of three "
            + "kubelets on two cores, a former agent lost 1,386 of 9,451 new connections in the last case; it needed 191 s of CPU for "
            + "such a storm. Here, with much less, none fails, which points to the processor time as the reason. The former agent was "
            + "not measured here.",
            ["meanwhile", "connections", "failed", "slowest answer", "agents' CPU", "machine busy"], scenario._rows, []));
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    private async Task MeasureAsync(string what, Func<CancellationToken, Task> act)
    {
        using var over = new CancellationTokenSource(Phase);
        var stop = Path.Combine(Path.GetTempPath(), $"bench-replace-{Guid.NewGuid():N}");
        var service = await _cluster.Client.GetAsync(ResourceTypes.Services, "default", "bench");
        var virtualAddress = new IPEndPoint(IPAddress.Parse(service["spec"]!["clusterIP"]!.GetValue<string>()), 80);
        var nodePort = new IPEndPoint(
            _cluster.Nodes.Values.Last().Addresses.V4, service["spec"]!["ports"]![0]!["nodePort"]!.GetValue<int>());
        var openers = _cluster.NodeNames.Select(node => _cluster.ExecAsync($"client-{node}", Opener(virtualAddress, stop)))
            .Append(_cluster.Outside.ExecAsync(Opener(nodePort, stop))).ToList();
        var (busy, idle) = Processors();
        using var cpu = new AgentsTime(_cluster);
        try
        {
            await act(over.Token);
        }
        finally
        {
            await File.WriteAllTextAsync(stop, "");
        }
        var (busyAfter, idleAfter) = Processors();
        var results = (await Task.WhenAll(openers)).Select(r => JsonSerializer.Deserialize<Opened>(r.ThrowIfFailed().Output)!).ToList();
        File.Delete(stop);
        var failures = string.Join(", ", results.SelectMany(r => r.Failures).CountBy(f => f).Select(f => Text($"{f.Value:N0} {f.Key}")));
        _rows.Add(
        [
            what, Text($"{results.Sum(r => r.Count):N0}"),
            failures.Length > 0 ? failures : "0",
            Text($"{results.Max(r => r.SlowestMilliseconds):0} ms"), Text($"{cpu.Total().TotalSeconds:0.0} s"),
            Text($"{(double)(busyAfter - busy) / (busyAfter - busy + idleAfter - idle):0%}"),
        ]);
        Console.WriteLine(string.Join(" | ", _rows[^1]));
    }

    private static string[] Opener(IPEndPoint target, string stop) => ["dotnet", Self, "opener", $"{target}", stop];

    private async Task CreateAsync()
    {
        for (var i = 0; i < Services; i++)
        {
            _cluster.Api.Store.Create(ResourceTypes.Services, StormObjects.Service(i));
            _cluster.Api.Store.Create(ResourceTypes.EndpointSlices, StormObjects.Slice(i));
        }
        foreach (var node in _cluster.Nodes.Values)
        {
            using var lag = new TableLag(node.BpffsRoot);
            lag.Expect(Services - 1, StormObjects.Endpoints);
            await lag.AllSeenAsync();
        }
    }

    private Task DeleteAsync() => Pace.RunAsync(2 * Services, DeletedPerSecond, i =>
    {
        if (i % 2 == 0)
            _cluster.Api.Store.Remove(ResourceTypes.EndpointSlices, StormObjects.Namespace, StormObjects.SliceName(i / 2));
        else
            _cluster.Api.Store.Remove(ResourceTypes.Services, StormObjects.Namespace, StormObjects.ServiceName(i / 2));
    });

    private async Task ReplaceAsync(CancellationToken over)
    {
        using var period = new PeriodicTimer(Period);
        try
        {
            while (await period.WaitForNextTickAsync(over))
            {
                await Task.WhenAll(_cluster.Nodes.Values.Select(n => n.KillAgentAsync()));
                await Task.WhenAll(_cluster.Nodes.Values.Select(n => n.StartAgentAsync()));
                await Task.WhenAll(_cluster.Nodes.Values.Select(n => n.WaitAgentReadyAsync(CancellationToken.None)));
            }
        }
        catch (OperationCanceledException)
        {
            // The end of the measurement.
        }
    }

    private async Task FillAsync()
    {
        await _cluster.ApplyAsync(Manifest(_cluster.NodeNames));
        await _cluster.WaitForPodsReady("app=bench", 1);
        await _cluster.WaitForPodsReady("app=client", _cluster.NodeNames.Count);
        await _cluster.Client.WaitForEndpointsAsync("bench", 1);
    }

    // jiffies of all processors
    private static (long Busy, long Idle) Processors()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries)[1..]
            .Select(f => long.Parse(f, CultureInfo.InvariantCulture)).ToArray();
        var idle = fields[3] + fields[4];
        return (fields[..8].Sum() - idle, idle);
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private static string Manifest(IReadOnlyList<string> nodes) => string.Join("---\n",
    [
        Manifests.Pod("bench", nodes[0], "bench", $"[dotnet, \"{Self}\", server, \"{Port}\"]"),
        .. nodes.Select(node => Manifests.Pod($"client-{node}", node, "client", "[sleep, infinity]")),
        Manifests.NodePort("bench", "bench", Port),
    ]);

    /// <summary>
    /// Processor time of all agents, those that were killed included: looked at often, since a killed one takes its figure with it.
    /// </summary>
    private sealed class AgentsTime : IDisposable
    {
        private static readonly TimeSpan Often = TimeSpan.FromMilliseconds(20);

        private readonly SandboxCluster _cluster;
        private readonly Dictionary<int, TimeSpan> _before = [], _last = [];
        private readonly CancellationTokenSource _over = new();
        private readonly Task _looking;

        public AgentsTime(SandboxCluster cluster)
        {
            _cluster = cluster;
            Look();
            foreach (var (pid, time) in _last)
                _before[pid] = time;
            _looking = Task.Run(async () =>
            {
                for (; !_over.IsCancellationRequested; await Task.Delay(Often))
                    Look();
            });
        }

        public TimeSpan Total()
        {
            _over.Cancel();
            _looking.Wait();
            return _last.Aggregate(TimeSpan.Zero, (sum, l) => sum + l.Value - _before.GetValueOrDefault(l.Key));
        }

        public void Dispose()
        {
            _over.Cancel();
            _over.Dispose();
        }

        private void Look()
        {
            foreach (var node in _cluster.Nodes.Values)
            {
                try
                {
                    if (node.AgentPid is { } pid)
                        _last[pid] = AgentProcessFigures.Read(pid).CpuTime;
                }
                catch (Exception e) when (e is ArgumentException or InvalidOperationException or Win32Exception)
                {
                    // It was killed just now.
                }
            }
        }
    }
}
