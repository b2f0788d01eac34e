using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>Clusters of the largest sizes are compiled whole. How long it takes is printed for people; `make bench` measures it.</summary>
public sealed class LargeClusterTests(ITestOutputHelper output)
{
    [Fact]
    public void Ten_thousand_services_of_four_endpoints_all_have_their_frontends_through_a_hundred_changes()
    {
        var node = new NodeContext("node-0");
        var cluster = Synthetic.Cluster(10_000, 4);
        var fresh = Measure(10, () => ClusterCompiler.Compile(cluster, node, IdTable.Empty));

        var compiler = new IncrementalCompiler();
        var state = compiler.Compile(cluster, node, IdTable.Empty);
        var round = 0;
        var recompiled = Measure(50, () =>
        {
            var slice = Synthetic.Slice(5_000, 4, ready: round++ % 2 == 0);
            cluster = cluster with { EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice) };
            state = compiler.Compile(cluster, node, state.Ids);
        });
        var added = Measure(50, () =>
        {
            var service = Synthetic.Service(20_000 + round++);
            cluster = cluster with { Services = cluster.Services.SetItem(service.Name, service) };
            state = compiler.Compile(cluster, node, state.Ids);
        });
        output.WriteLine($"fresh: {fresh}; one endpoint slice changed: {recompiled}; one service added: {added}");
        Assert.Equal(2 * 10_050, state.Frontends.Length);
    }

    [Fact]
    public void One_of_thirty_thousand_services_has_all_its_twenty_thousand_endpoints()
    {
        var node = new NodeContext("node-0") { NodePortAddresses = [Addr.Parse("192.168.0.1")] };
        var cluster = Synthetic.Cluster(30_000, 4);
        var compiler = new IncrementalCompiler();
        var state = DesiredState.Empty;
        var fresh = Measure(1, () => state = compiler.Compile(cluster, node, IdTable.Empty));
        var slices = Enumerable.Range(0, 20).Select(i => Synthetic.Slice(7, 1000) with { Name = new ObjectName("ns-7", $"many-{i}") })
            .Select((s, i) => s with
                { Endpoints = [.. s.Endpoints.Select((e, n) => e with { Addresses = [$"10.{200 + i}.{n / 250}.{n % 250}"] })] });
        var many = cluster with { EndpointSlices = cluster.EndpointSlices.SetItems(slices.Select(s => KeyValuePair.Create(s.Name, s))) };
        var large = Measure(1, () => state = compiler.Compile(many, node, state.Ids));
        output.WriteLine($"fresh: {fresh}; one service of 20,004 endpoints: {large}");
        Assert.Equal(20_004, state.Segments.Max(s => s.Backends.Length));
        Assert.Empty(state.Issues);
    }

    private static string Measure(int times, Action work)
    {
        var (samples, used) = (new List<double>(), 0.0);
        for (var i = 0; i < times; i++)
        {
            var (start, cpu) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
            work();
            samples.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            used += (Environment.CpuUsage.TotalTime - cpu).TotalMilliseconds;
        }
        samples.Sort();
        return $"median {samples[samples.Count / 2]:0.0} ms, p90 {samples[samples.Count * 9 / 10]:0.0} ms, max {samples[^1]:0.0} ms, of "
            + $"the processors {used / times:0.0} ms each";
    }
}
