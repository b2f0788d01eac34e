using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Benchmarks.Figures;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>Many Services: what loading them costs the agent, and how soon one more answers.</summary>
internal static class ScaleScenario
{
    /// <summary>
    /// Creates the services with ready endpoints while no agent runs on the node, then starts it: its first load, from empty tables.
    /// </summary>
    public static async Task<Section> LoadAsync(BenchCluster bench, string path, int services, int endpoints)
    {
        await bench.Node.StopAgentAsync();
        await Parallel.ForAsync(0, services, async (i, _) => await OtherServices.CreateAsync(bench, $"other-{i}", i, endpoints));
        var started = Stopwatch.StartNew();
        await bench.Node.StartAgentAsync();
        await bench.Node.WaitAgentReadyAsync();
        await WaitForFrontends(bench, services);
        started.Stop();
        var agent = AgentProcessFigures.Read(bench.Node.AgentPid ?? throw new InvalidOperationException("the agent is gone"));
        return new Section(
            string.Create(CultureInfo.InvariantCulture, $"Loading {services:N0} services × {endpoints} endpoints ({path})"),
            "The agent is started when the API already holds them. CPU time and resident memory are the whole process's, from /proc, when "
                + "every frontend is in the kernel's table.",
            [
                new Figure("agent's CPU time from start until all are loaded", Seconds(agent.CpuTime), "< 2 s for the load"),
                new Figure("elapsed", Seconds(started.Elapsed)),
                new Figure("agent's resident memory",
                    string.Create(CultureInfo.InvariantCulture, $"{agent.ResidentBytes / 1048576.0:0} MiB"), "< 80 MiB"),
            ]);
    }

    /// <summary>
    /// From the API's answer to the creation (its watch event leaves at that moment) until the kernel's table answers for it.
    /// </summary>
    public static async Task<Section> NewServicesAsync(BenchCluster bench, int count)
    {
        var samples = new List<double>();
        using var table = BpfMap.OpenPinned(Path.Combine(bench.Node.BpffsRoot, "maps", MapNames.Service));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1)); // a busy wait would take one of the cores from those it waits for
        var (withinBefore, allBefore) = Reactions(await bench.Node.MetricsAsync());
        for (var i = 0; i < count; i++)
        {
            var address = await OtherServices.CreateAsync(bench, $"new-{i}", 60_000 + i, 4);
            var key = new SvcKey(Addr.From(address), U16Be.FromHost(80), IpProtocol.Tcp, Scope.Internal);
            var since = Stopwatch.StartNew();
            while (!(table.TryLookup<SvcKey, Svc>(key, out var value) && value.Count == 4))
            {
                if (since.Elapsed > TimeSpan.FromSeconds(10))
                    throw new TimeoutException($"new-{i} did not appear within 10 s");
                await tick.WaitForNextTickAsync();
            }
            samples.Add(since.Elapsed.TotalMilliseconds);
        }
        samples.Sort();
        var (within, all) = Reactions(await bench.Node.MetricsAsync());
        return new Section(
            string.Create(CultureInfo.InvariantCulture, $"A new Service, with the others loaded ({count} times)"),
            "From the API's response to the creation of the Service (its EndpointSlice exists) until its frontend with all backends is in "
            + "the kernel's table. The table is sampled every millisecond. API, two agents and the observer share the machine.",
            [
                new Figure("median", Milliseconds(samples[samples.Count / 2])),
                new Figure("p99", Milliseconds(samples[(int)(samples.Count * 0.99)])),
                new Figure(
                    "from the watch event's arrival in the agent, by its own histogram: within 51.2 ms (a bucket's edge)",
                    string.Create(CultureInfo.InvariantCulture, $"{within - withinBefore:0} of {all - allBefore:0} changes"), "99 %"),
            ]);
    }

    /// <summary>Changes that the agent brought into the kernel within 51.2 ms of their event, and all.</summary>
    private static (double Within, double All) Reactions(string metrics) =>
        (Sample(metrics, "ebpf_cni_reaction_duration_seconds_bucket{le=\"0.0512\"} "),
            Sample(metrics, "ebpf_cni_reaction_duration_seconds_count "));

    private static double Sample(string metrics, string name) =>
        double.Parse(metrics.Split('\n').Single(l => l.StartsWith(name, StringComparison.Ordinal))[name.Length..],
            CultureInfo.InvariantCulture);

    /// <summary>A restart with everything in place.</summary>
    public static async Task<Section> RestartAsync(BenchCluster bench)
    {
        await bench.Node.KillAgentAsync();
        var clock = Stopwatch.StartNew();
        await bench.Node.StartAgentAsync();
        await bench.Node.WaitAgentReadyAsync();
        return new Section(
            "Restart after kill -9, with the others loaded",
            "From the start of the process until /readyz answers 200: programs loaded, tables adopted, complete lists compiled and "
                + "compared.",
            [new Figure("ready after", Seconds(clock.Elapsed))]);
    }

    private static async Task WaitForFrontends(BenchCluster bench, int atLeast)
    {
        using var table = BpfMap.OpenPinned(Path.Combine(bench.Node.BpffsRoot, "maps", MapNames.Service));
        await Testing.Eventually.True(() => table.ReadAll<SvcKey, Svc>().Count(e => e.Value.Count > 0) >= atLeast, $"{atLeast} frontends",
            TimeSpan.FromSeconds(120));
    }

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.00} s");

    private static string Milliseconds(double time) => string.Create(CultureInfo.InvariantCulture, $"{time:0.0} ms");
}

/// <summary>What /proc says of a process.</summary>
internal sealed record AgentProcessFigures(TimeSpan CpuTime, long ResidentBytes)
{
    public static AgentProcessFigures Read(int pid)
    {
        using var process = Process.GetProcessById(pid);
        return new AgentProcessFigures(process.TotalProcessorTime, process.WorkingSet64);
    }
}
