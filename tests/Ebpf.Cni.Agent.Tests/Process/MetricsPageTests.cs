using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>docs/metrics.md lists what an agent exports, with type and labels, and has a query for each metric.</summary>
public class MetricsPageTests
{
    private const string Service =
        """
        {"metadata":{"namespace":"default","name":"web","uid":"u1","resourceVersion":"1"},
         "spec":{"type":"ClusterIP","clusterIP":"10.96.0.999","clusterIPs":["10.96.0.999"],
          "ports":[{"name":"http","protocol":"TCP","port":80}]}}
        """;

    private const string Node =
        """
        {"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},
         "spec":{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},
         "status":{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}
        """;

    private static readonly string Page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "metrics.md"));

    [Fact]
    public async Task The_page_and_a_running_agent_have_the_same_metrics()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = new SmallApi(agent.Namespace, new() { ["services"] = Service, ["endpointslices"] = "", ["nodes"] = Node });
        agent.Start(api.Kubeconfig, "--conntrack-sweep-period", "1");
        await agent.Ready();
        using var pod = NetworkNamespace.Create(agent["pod"]);
        try
        {
            // A series for every label: a CNI request, an issue, an answer about health, a sweep.
            Assert.Contains("\"result\"", agent.Cni("ADD"), StringComparison.Ordinal);
            Assert.Equal("{}", agent.Cni("DEL"));
            Assert.Equal((200, 200), (agent.Get(10256, "/healthz").Status, agent.Get(10256, "/livez").Status));
            await Eventually.True(() => Metrics(agent).Contains("ebpf_cni_conntrack_fill_ratio{", StringComparison.Ordinal), "a sweep");
        }
        finally
        {
            NetworkNamespace.Remove(agent["pod"]);
        }

        var documented = MetricsPage.Documented(Page);
        var exported = MetricsPage.Exported(Metrics(agent));
        Assert.Equal([], exported.Except(documented));
        Assert.Equal([], documented.Except(exported));
        Assert.Equal(documented.Count, documented.DistinctBy(m => m.Name).Count());
    }

    [Fact]
    public void Every_metric_is_in_a_query_and_every_query_names_metrics_of_the_page()
    {
        var documented = MetricsPage.Documented(Page).Select(m => m.Name).ToList();
        var named = MetricsPage.Queries(Page).SelectMany(MetricsPage.Named).Distinct().ToList();
        Assert.Equal([], documented.Where(name => !named.Any(n => MetricsPage.Family(n, name))));
        Assert.Equal([], named.Where(n => !documented.Any(name => MetricsPage.Family(n, name))));
    }

    [Fact]
    public void A_difference_is_found()
    {
        const string answer =
            "# HELP a_total x\n# TYPE a_total counter\na_total{b=\"1\",c=\"x,y=\\\"\"} 0\n# TYPE d histogram\nd_bucket{e=\"\",le=\"+Inf\"} "
            + "0\n";
        Assert.Equal([new("a_total", "counter", "b,c"), new("d", "histogram", "e")], MetricsPage.Exported(answer));
        Assert.Equal([new("a_total", "counter", "b,c")], MetricsPage.Documented("| `a_total` | counter | `c`, `b` | x |\n"));
        Assert.Throws<FormatException>(() => MetricsPage.Exported("# TYPE a gauge\nb 1\n"));
        Assert.Equal(["    rate(ebpf_cni_a_total[5m])"], MetricsPage.Queries("text\n    rate(ebpf_cni_a_total[5m])\n    curl -s x\n"));
        Assert.Equal(["ebpf_cni_a_total"], MetricsPage.Named("rate(ebpf_cni_a_total[5m])"));
    }

    private static string Metrics(AgentProcess agent) => agent.Get(10249, "/metrics").Body;
}
