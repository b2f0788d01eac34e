using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.RegularExpressions;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>
/// What the agent as a process does about Services beyond their cluster IPs: ports of the node, health checks, who tells what to whom.
/// </summary>
public partial class AgentServicesTests
{
    private const string Balanced =
        """{"metadata":{"namespace":"default","name":"web","uid":"u1","resourceVersion":"1"},"spec":{"type":"LoadBalancer","clusterIP":"10.96.0.1","clusterIPs":["10.96.0.1"],"externalTrafficPolicy":"Local","healthCheckNodePort":32000,"ports":[{"name":"http","protocol":"TCP","port":80,"nodePort":30080}]}}""";

    private const string Slice =
        """{"metadata":{"namespace":"default","name":"web-1","uid":"u3","resourceVersion":"1","labels":{"kubernetes.io/service-name":"web"}},"addressType":"IPv4","ports":[{"name":"http","protocol":"TCP","port":8080}],"endpoints":[{"addresses":["10.201.0.5"],"conditions":{"ready":true},"nodeName":"n1"}]}""";

    private const string Node =
        """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},"status":{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}""";

    [Fact]
    public async Task Health_checks_metrics_and_the_connection_table_are_answered()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent, Node);
        agent.Start(api.Kubeconfig, "--conntrack-sweep-period", "1");
        await agent.Ready();
        var check = agent.Get(32000, "/");
        Assert.Equal(200, check.Status);
        Assert.Equal(1, JsonDocument.Parse(check.Body).RootElement.GetProperty("localEndpoints").GetInt32());

        await Eventually.True(
            () => agent.Get(10249, "/metrics").Body.Contains(
                "ebpf_cni_conntrack_connections{state=\"established\"} 0", StringComparison.Ordinal), "a sweep");
        var metrics = agent.Get(10249, "/metrics").Body;
        Assert.All(
            [
                "ebpf_cni_conntrack_fill_ratio{table=\"tcp\"} 0", "kubeproxy_network_programming_duration_seconds_count 0",
                "kubeproxy_sync_proxy_rules_service_changes_pending 0",
                "kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy=\"external\"} 0",
                "kubeproxy_conntrack_reconciler_deleted_entries_total 0",
                "ebpf_cni_service_connections_total{namespace=\"\",service=\"other\",port=\"\"} 0",
                "ebpf_cni_table_size{table=\"ebc_aff_v1\"} ",
            ],
            line => Assert.Contains(line, metrics, StringComparison.Ordinal));

        // The upstream test "should check kube-proxy urls" asks for it.
        Assert.Equal((200, "ebpf"), agent.Get(10249, "/proxyMode") is var mode ? (mode.Status, mode.Body) : default);
        Assert.StartsWith("tcp ", agent.Get(10249, "/conntrack").Body, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Array,
            JsonDocument.Parse(agent.Get(10249, "/conntrack?format=json&top=3").Body).RootElement.GetProperty("clients").ValueKind);
        Assert.Equal((400, 404), (agent.Get(10249, "/conntrack?top=0").Status, agent.Get(10256, "/conntrack").Status));
    }

    [Fact]
    public async Task A_node_that_is_being_deleted_gets_nothing_new_and_is_not_restarted()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent, Node.Replace("\"resourceVersion\":\"1\"",
            "\"resourceVersion\":\"1\",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"", StringComparison.Ordinal));
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        Assert.Equal((503, 200), (agent.Get(10256, "/healthz").Status, agent.Get(10256, "/livez").Status));
        Assert.Contains("\"nodeEligible\":false", agent.Get(10256, "/healthz").Body, StringComparison.Ordinal);
        Assert.Equal(200, agent.Get(32000, "/").Status);
    }

    [Fact]
    public async Task Addresses_that_come_and_go_are_followed()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent, Node);
        agent.Start(api.Kubeconfig, "--nodeport-addresses", "192.0.2.0/24");
        await agent.Ready();
        var before = Frontends(agent);
        Address(agent, (netlink, address) => netlink.AddAddress(1, address, 32));
        await Eventually.True(() => Frontends(agent) > before, "NodePorts are served on the new address");
        Address(agent, (netlink, address) => netlink.DeleteAddress(1, address, 32));
        await Eventually.True(() => Frontends(agent) == before, "and no more when it is gone");
    }

    [Theory]
    [InlineData("0.0.0.0", false)]
    [InlineData("127.0.0.1", false)]
    [InlineData("127.0.0.1", true)] // the kernel chose the port, when the Service was there
    public async Task A_process_that_has_a_NodePort_is_named_at_the_Service(string address, bool later)
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent, Node);
        TcpListener Listen() => agent.Namespace.Run(() =>
        {
            var socket = new TcpListener(IPAddress.Parse(address), 30080);
            socket.Start();
            return socket;
        });
        using var before = later ? null : Listen();
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        using var after = later ? Listen() : null;
        await Eventually.True(() => api.Posts.Any(p => p.Contains("NodePortInUse", StringComparison.Ordinal)), "an event");
        Assert.Contains($"Tcp {address}:30080", agent.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task An_ADD_with_ports_returns_when_they_lead_to_the_pod_and_DEL_ends_them()
    {
        Requires.Root();
        using var agent = new AgentProcess();
        using var api = Api(agent, Node);
        agent.Start(api.Kubeconfig);
        await agent.Ready();
        var before = Frontends(agent);
        using var pod = NetworkNamespace.Create(agent["pod"]);
        try
        {
            Assert.Contains("\"result\"", Cni(agent, "ADD"), StringComparison.Ordinal);
            Assert.Equal(before + 1, Frontends(agent)); // 127.0.0.1, the node's only address
            Assert.Equal("{}", Cni(agent, "DEL"));
            await Eventually.True(() => Frontends(agent) == before, "the port is free");
        }
        finally
        {
            NetworkNamespace.Remove(agent["pod"]);
        }
    }

    private static SmallApi Api(AgentProcess agent, string node) => new(agent.Namespace, new()
    {
        ["services"] = Balanced, ["endpointslices"] = Slice, ["nodes"] = node,
    });

    private static int Frontends(AgentProcess agent) =>
        int.Parse(FrontendsPattern().Match(agent.Get(10249, "/metrics").Body).Groups[1].Value, CultureInfo.InvariantCulture);

    private static void Address(AgentProcess agent, Action<RouteNetlink, IPAddress> change) => agent.Namespace.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        change(netlink, IPAddress.Parse("192.0.2.9"));
    });

    private static string Cni(AgentProcess agent, string command) =>
        agent.Cni(command, ",\"runtimeConfig\":{\"portMappings\":[{\"hostPort\":8080,\"containerPort\":80,\"protocol\":\"tcp\"}]}");

    [GeneratedRegex("ebpf_cni_table_entries\\{table=\"ebc_svc_v2\"\\} (\\d+)")]
    private static partial Regex FrontendsPattern();
}
