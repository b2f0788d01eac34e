using System.Diagnostics;
using System.Text.Json;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>The agent's life from start to signal, as a process: readiness, what it writes, what it exports, what it leaves.</summary>
public class AgentProcessTests(ITestOutputHelper log)
{
    private const string Service =
        """{"metadata":{"namespace":"default","name":"web","uid":"u1","resourceVersion":"1"},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"ports":[{"name":"http","protocol":"TCP","port":80}]}}""";

    private const string BadService =
        """{"metadata":{"namespace":"default","name":"bad","uid":"u2","resourceVersion":"1"},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.999","clusterIPs":["10.96.0.999"],"ports":[{"name":"http","protocol":"TCP","port":80}]}}""";

    private const string Slice =
        """{"metadata":{"namespace":"default","name":"web-1","uid":"u3","resourceVersion":"1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","protocol":"TCP","port":8080}],"endpoints":[{"addresses":["10.201.0.5"],"conditions":{"ready":true},"nodeName":"n1"}]}""";

    private const string Node =
        """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}""";

    [Fact]
    public async Task It_gets_ready_exports_what_it_does_and_stops_when_told()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        await Eventually.True(() => File.Exists(Path.Combine(agent["net.d"], "05-ebpf-cni.conflist")),
            "the network configuration is written");

        var health = agent.Get(10256, "/healthz");
        Assert.Equal(200, health.Status);
        Assert.True(JsonDocument.Parse(health.Body).RootElement.GetProperty("nodeEligible").GetBoolean());
        Assert.DoesNotContain("nodeEligible", agent.Get(10256, "/livez").Body, StringComparison.Ordinal);
        Assert.Equal((404, 404), (agent.Get(10249, "/healthz").Status, agent.Get(10256, "/metrics").Status));
        var metrics = agent.Get(10249, "/metrics").Body;
        Assert.All(
            [
                "ebpf_cni_table_entries{table=\"ebc_svc_v2\"} 2", "ebpf_cni_table_entries{table=\"ebc_backend_v1\"} 1",
                "kubeproxy_sync_proxy_rules_duration_seconds_count 1", "ebpf_cni_issues{reason=\"",
                "ebpf_cni_watch_objects{kind=\"Service\"} 2",
                "ebpf_cni_packets_total{reason=\"source_address\",hook=\"pod_egress\"} 0",
                "ebpf_cni_addresses_capacity{family=\"ipv4\"} 253",
                "ebpf_cni_suppressed_total{what=\"refusal\"} 0", "ebpf_cni_suppressed_total{what=\"error\"} 0",
                "ebpf_cni_suppressed_total{what=\"record\"} 0",
                "process_resident_memory_bytes ", "ebpf_cni_build_info{",
            ],
            name => Assert.Contains(name, metrics, StringComparison.Ordinal));
        Assert.Contains("default/bad", agent.Output, StringComparison.Ordinal);
        Assert.Equal("1", agent.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim()));

        var clock = Stopwatch.StartNew();
        agent.Signal("TERM");
        Assert.Equal(0, agent.WaitForExit());
        log.WriteLine(agent.Output);
        log.WriteLine($"stopped after {clock.ElapsedMilliseconds} ms");
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(agent.Bpffs, "maps")));
    }

    [Fact]
    public async Task A_node_at_the_other_end_of_a_tunnel_that_leads_nowhere_does_not_keep_this_one_from_serving()
    {
        Requires.Root();
        const string elsewhere =
            """{"metadata":{"name":"n2","uid":"u5","resourceVersion":"1"},"spec":{"podCIDRs":["10.202.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"203.0.113.9"}]}}""";
        using var agent = new AgentProcess();
        using var api = new SmallApi(agent.Namespace,
            new() { ["services"] = Service, ["endpointslices"] = Slice, ["nodes"] = $"{Node},{elsewhere}" });
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        await Eventually.True(() => agent.Output.Contains("10.202.0.0/24", StringComparison.Ordinal), "the way to it is told");
        Assert.Equal(200, agent.Get(10256, "/healthz").Status);
    }

    [Fact]
    public async Task Killed_and_started_again_it_writes_nothing_that_was_right()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        agent.Kill();
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        var metrics = agent.Get(10249, "/metrics").Body;
        Assert.All(["segment", "frontend_add", "frontend_switch", "frontend_delete"], kind =>
            Assert.Contains($"ebpf_cni_kernel_writes_total{{kind=\"{kind}\"}} 0", metrics, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_node_out_of_reach_is_an_issue_and_keeps_nobody_from_being_ready()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        const string far = """{"metadata":{"name":"n2","uid":"u5","resourceVersion":"1"},"spec":{"podCIDR":"10.202.0.0/24","podCIDRs":["10.202.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.77"}]}}""";
        using var api = new SmallApi(agent.Namespace,
            new() { ["services"] = Service, ["endpointslices"] = Slice, ["nodes"] = $"{Node},{far}" });
        agent.Start(api.Kubeconfig, "--routing", "direct");
        await agent.Ready();
        Assert.Contains("NodeNotOnLink", agent.Output, StringComparison.Ordinal);
        Assert.Contains("10.202.0.0/24", agent.Output, StringComparison.Ordinal);
        Assert.Contains("ebpf_cni_issues{reason=\"NodeNotOnLink\"} 1", agent.Get(10249, "/metrics").Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_podCIDR_the_node_is_not_offered_to_the_runtime_and_the_log_says_why()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = new SmallApi(agent.Namespace, new()
        {
            ["services"] = Service, ["endpointslices"] = Slice, ["nodes"] = """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":{}}""",
        });
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        await Eventually.True(() => agent.Output.Contains("has no podCIDRs yet", StringComparison.Ordinal), "the reason is told");
        Assert.False(File.Exists(Path.Combine(agent["net.d"], "05-ebpf-cni.conflist")));
    }

    [Fact]
    public async Task A_full_table_is_told_by_metric_log_and_event()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        const string second = """{"metadata":{"namespace":"default","name":"zzz","uid":"u9","resourceVersion":"1"},"spec":{"type":"ClusterIP","clusterIP":"10.96.0.9","clusterIPs":["10.96.0.9"],"ports":[{"name":"http","protocol":"TCP","port":80}]}}""";
        using var api = new SmallApi(agent.Namespace,
            new() { ["services"] = $"{Service},{second}", ["endpointslices"] = Slice, ["nodes"] = Node });
        // Each has two entries: its port, and the address for all other ports.
        agent.Start(api.Kubeconfig, "--service-table-size", "2");
        await agent.Ready();
        await Eventually.True(
            () => api.Posts.Any(p => p.Contains("service-table-size option", StringComparison.Ordinal)), "an event names the option");
        Assert.Contains("service-table-size option", agent.Output, StringComparison.Ordinal);
        Assert.Contains("ebpf_cni_services_pending{cause=\"table_full\"} 1", agent.Get(10249, "/metrics").Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_agent_ends_at_once_and_the_first_goes_on()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        var second = agent.StartBeside();
        Assert.Equal(1, second.Code);
        Assert.Contains($"--run-dir: another agent uses {agent["run"]}", second.Output, StringComparison.Ordinal);
        Assert.Equal(200, agent.Get(10256, "/readyz").Status);
        Assert.Contains("ebpf_cni_table_entries{table=\"ebc_svc_v2\"} 2", agent.Get(10249, "/metrics").Body, StringComparison.Ordinal);

        // It was the running agent that kept it out, not something that one has left.
        agent.Kill();
        agent.Start(api.Kubeconfig);
        await agent.Ready();
    }

    [Fact]
    public async Task A_state_directory_that_a_running_agent_has_is_refused()
    {
        Requires.Root();
        using var first = new AgentProcess();
        using var api = Api(first);
        first.Start(api.Kubeconfig);
        await first.Ready();
        using var second = new AgentProcess();
        second.Start(api.Kubeconfig, "--state-dir", first["state"]);
        Assert.Equal(1, second.WaitForExit());
        Assert.Contains(
            $"--state-dir (chart: hostPaths.state): another agent uses {first["state"]}", second.Output, StringComparison.Ordinal);
        Assert.False(Directory.Exists(second.Bpffs));
        Assert.Equal(200, first.Get(10256, "/livez").Status);
    }

    [Fact]
    public async Task A_state_directory_that_is_another_nodes_is_refused_and_left_as_it_was()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        agent.Kill();
        var before = Contents();
        agent.Start(api.Kubeconfig, "--node-name", "n2");
        Assert.Equal(2, agent.WaitForExit());
        Assert.Contains($"{agent["state"]} belongs to node n1, this is node n2", agent.Output, StringComparison.Ordinal);
        Assert.Equal(before, Contents());

        string[] Contents() =>
        [
            .. Directory.EnumerateFiles(agent["state"], "*.json", SearchOption.AllDirectories).Order()
                .Select(f => $"{f}: {File.ReadAllText(f)}"),
        ];
    }

    [Fact]
    public void Wrong_options_are_all_named_and_nothing_is_touched()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        agent.Start("", "--mtu", "many", "--node-nam", "x", "--log-level", "loud");
        Assert.Equal(2, agent.WaitForExit());
        Assert.All(["--mtu", "--node-nam:", "--log-level"], name => Assert.Contains(name, agent.Output, StringComparison.Ordinal));
        Assert.False(Directory.Exists(agent.Bpffs) || Directory.Exists(agent["state"]) || Directory.Exists(agent["run"]));
    }

    [Fact]
    public void A_dataplane_that_cannot_be_opened_stops_the_agent_with_an_error()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent);
        Directory.CreateDirectory(agent["objects"]);
        File.WriteAllText(Path.Combine(agent["objects"], "pod.bpf.o"), "no object");
        File.WriteAllText(Path.Combine(agent["objects"], "socket.bpf.o"), "no object");
        File.WriteAllText(Path.Combine(agent["objects"], "uplink.bpf.o"), "no object");
        File.WriteAllText(Path.Combine(agent["objects"], "overlay.bpf.o"), "no object");
        agent.ObjectDirectory = agent["objects"];
        agent.Start(api.Kubeconfig, "--config", WriteConfig(agent));
        Assert.Equal(1, agent.WaitForExit());
        Assert.Contains("pod.bpf.o", agent.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("BackgroundService", agent.Output, StringComparison.Ordinal);
        log.WriteLine(agent.Output);
    }

    private static string WriteConfig(AgentProcess agent)
    {
        File.WriteAllText(agent["config.json"], "{\"logFormat\":\"json\"}");
        return agent["config.json"];
    }

    private static SmallApi Api(AgentProcess agent) => new(agent.Namespace, new()
    {
        ["services"] = $"{Service},{BadService}", ["endpointslices"] = Slice, ["nodes"] = Node,
    });
}
