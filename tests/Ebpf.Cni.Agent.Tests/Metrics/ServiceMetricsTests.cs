using System.Text;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Compiler.Output;
using Prometheus;

namespace Ebpf.Cni.Agent.Tests.Metrics;

/// <summary>What is exported about services, in Prometheus' own text.</summary>
public class ServiceMetricsTests
{
    private static readonly Dictionary<uint, ServicePortName> Names = new()
    {
        [1] = new(new("default", "web"), "http", IpProtocol.Tcp), [2] = new(new("kube-system", "dns"), "dns", IpProtocol.Udp),
    };

    [Fact]
    public async Task Ended_and_living_connections_are_added_up_by_service_and_backend()
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var metrics = new ServiceMetrics(registry, 10);
        metrics.Update(
            new Dictionary<StatKey, Stat> { [Key(1, 1)] = new(2, 10, 1000, 9, 900), [Key(1, 2)] = new(1, 1, 10, 1, 10),
                [Key(9, 1)] = new(7, 7, 7, 7, 7) },
            new Dictionary<StatKey, Stat> { [Key(1, 1)] = new(0, 5, 500, 4, 400) }, Names);
        var text = await Text(registry);
        Assert.All(
            [
                "ebpf_cni_service_connections_total{namespace=\"default\",service=\"web\",port=\"http\"} 3",
                "ebpf_cni_service_packets_total{namespace=\"default\",service=\"web\",port=\"http\",direction=\"to\"} 16",
                "ebpf_cni_service_bytes_total{namespace=\"default\",service=\"web\",port=\"http\",direction=\"from\"} 1310",
                "ebpf_cni_service_backend_packets_total{namespace=\"default\",service=\"web\",port=\"http\","
                + "backend=\"10.1.0.1:8080\",direction=\"from\"} 13",
                "ebpf_cni_service_backend_connections_total{namespace=\"\",service=\"other\",port=\"\",backend=\"\"} 0",
            ],
            line => Assert.Contains(line + "\n", text, StringComparison.Ordinal));
        Assert.DoesNotContain(" 7\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_is_gone_takes_its_series_with_it_and_too_many_are_one()
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        var metrics = new ServiceMetrics(registry, 1);
        var ended = new Dictionary<StatKey, Stat> { [Key(1, 1)] = new(5, 0, 0, 0, 0), [Key(2, 1)] = new(3, 0, 0, 0, 0) };
        metrics.Update(ended, new Dictionary<StatKey, Stat>(), Names);
        var text = await Text(registry);
        Assert.Contains("service_connections_total{namespace=\"\",service=\"other\",port=\"\"} 3\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("service=\"dns\"", text, StringComparison.Ordinal);
        metrics.Update(ended, new Dictionary<StatKey, Stat>(), new Dictionary<uint, ServicePortName> { [2] = Names[2] });
        text = await Text(registry);
        Assert.DoesNotContain("service=\"web\"", text, StringComparison.Ordinal);
        Assert.Contains("service=\"dns\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_counted_where_nobody_wants_it()
    {
        var registry = Prometheus.Metrics.NewCustomRegistry();
        new ServiceMetrics(registry, 0).Update(
            new Dictionary<StatKey, Stat> { [Key(1, 1)] = new(5, 0, 0, 0, 0) }, new Dictionary<StatKey, Stat>(), Names);
        Assert.DoesNotContain("namespace=", await Text(registry), StringComparison.Ordinal);
    }

    private static StatKey Key(uint service, byte host) => new(Addr.FromBytes([10, 1, 0, host]), service, U16Be.FromHost(8080));

    private static async Task<string> Text(CollectorRegistry registry)
    {
        using var stream = new MemoryStream();
        await registry.CollectAndExportAsTextAsync(stream, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
