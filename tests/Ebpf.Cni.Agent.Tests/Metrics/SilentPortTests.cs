using System.Globalization;
using System.Text;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Microsoft.Extensions.Time.Testing;
using Prometheus;

namespace Ebpf.Cni.Agent.Tests.Metrics;

/// <summary>Service ports that drop in silence, counted from state to state.</summary>
public class SilentPortTests
{
    private readonly CollectorRegistry _registry = Prometheus.Metrics.NewCustomRegistry();

    [Fact]
    public async Task They_are_counted_by_policy_as_they_come_and_go()
    {
        var metrics = new SyncMetrics(_registry, new FakeTimeProvider());
        Assert.Equal((0, 0), await Counts());
        var compiler = new IncrementalCompiler();
        var cluster = With(With(ClusterSnapshot.Empty, "a", "elsewhere"), "b", "elsewhere");
        var state = compiler.Compile(cluster, new NodeContext("here"), IdTable.Empty);
        metrics.Holds(state);
        metrics.Holds(state);
        Assert.Equal((2, 2), await Counts());
        state = compiler.Compile(With(cluster, "a", "here"), new NodeContext("here"), state.Ids);
        metrics.Holds(state);
        Assert.Equal((1, 1), await Counts());
        metrics.Holds(DesiredState.Empty);
        Assert.Equal((0, 0), await Counts());
    }

    private static ClusterSnapshot With(ClusterSnapshot cluster, string name, string node)
    {
        var service = new ServiceSnapshot
        {
            Name = new("default", name), Uid = "u", Type = "LoadBalancer",
            ClusterIPs = [$"10.96.0.{(int)name[0]}"], LoadBalancerIPs = [$"203.0.113.{(int)name[0]}"],
            InternalLocal = true, ExternalLocal = true, Ports = [new("http", "TCP", 80)],
        };
        var slice = new EndpointSliceSnapshot
        {
            Name = service.Name, ServiceName = name, Ports = [new("http", "TCP", 8080)],
            Endpoints = [new(["10.244.0.9"], true, true, false, node)],
        };
        return cluster with
        {
            Services = cluster.Services.SetItem(service.Name, service), EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice),
        };
    }

    private async Task<(int Internal, int External)> Counts()
    {
        using var stream = new MemoryStream();
        await _registry.CollectAndExportAsTextAsync(stream, TestContext.Current.CancellationToken);
        var lines = Encoding.UTF8.GetString(stream.ToArray()).Split('\n');
        return (Count("internal"), Count("external"));

        int Count(string policy) => int.Parse(
            lines.Single(l => l.StartsWith(
                $"kubeproxy_sync_proxy_rules_no_local_endpoints_total{{traffic_policy=\"{policy}\"}}",
                StringComparison.Ordinal)).Split(' ')[1],
            CultureInfo.InvariantCulture);
    }
}
