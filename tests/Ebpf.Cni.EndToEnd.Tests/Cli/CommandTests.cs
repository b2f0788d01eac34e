using System.Text.Json;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Cli;

/// <summary>ecni as it is shipped, asked about agents as they are shipped.</summary>
[Collection(OffServices.Name)]
public sealed class CommandTests(OffCluster cluster, ITestOutputHelper log)
{
    /// <summary>A connection on which something was said and answered; prints its port.</summary>
    private const string Exchange = """
        import socket, sys
        s = socket.create_connection((sys.argv[1], 80), 5)
        print(s.getsockname()[1], flush=True)
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        s.recv(4096)
        """;

    private readonly Ecni _a = new(cluster, "node-a");

    [Fact]
    public async Task Status_says_that_the_node_is_ready_and_what_it_is()
    {
        var text = await _a.Shows(t => t.Contains("Ready      yes", StringComparison.Ordinal), "status");
        log.WriteLine(text);
        Assert.Contains("node node-a", text, StringComparison.Ordinal);
        Assert.Contains("socket-lb off", text, StringComparison.Ordinal);
        Assert.Contains(cluster.NodeAddress("node-a", "IPv4"), text, StringComparison.Ordinal);
        Assert.Contains("ebc_svc_v2", text, StringComparison.Ordinal);
        Assert.InRange(text.Split('\n').Length, 10, 45);
        Assert.Equal(0, (await _a.RunAsync("status")).Code);

        var status = await _a.JsonAsync("status");
        Assert.Equal(3, status.GetProperty("sync").GetProperty("watches").EnumerateArray()
            .Count(w => w.GetProperty("connected").GetBoolean()));
        // a1, a2 and client-a; another test's may not be gone yet.
        Assert.InRange(status.GetProperty("counts").GetProperty("endpoints").GetInt32(), 3, 20);
        Assert.NotEmpty(status.GetProperty("network").GetProperty("uplinks").EnumerateArray());
        Assert.NotEmpty(status.GetProperty("features").EnumerateArray());
    }

    [Fact]
    public async Task A_service_shows_its_backends_with_pods_nodes_and_who_is_ending()
    {
        await using var service = await TestService.Create(
            cluster, "type: NodePort, sessionAffinity: ClientIP", "a1", "b1", TestEndpoint.Ending("a2"));
        var (a1, b1, a2) = (cluster.AddressOf("a1", "IPv4"), cluster.AddressOf("b1", "IPv4"), cluster.AddressOf("a2", "IPv4"));
        var text = await _a.Shows(
            t => t.Contains($"{service.ClusterIPs[0]}:80/TCP internal port t", StringComparison.Ordinal)
            && Row(t, a1).Contains("default/a1", StringComparison.Ordinal), "service", "get", $"default/{service.Name}");
        log.WriteLine(text);
        Assert.Contains("node-a (this)", Row(text, a1), StringComparison.Ordinal);
        Assert.Contains("serving", Row(text, a1), StringComparison.Ordinal);
        Assert.Contains("node-b", Row(text, b1), StringComparison.Ordinal);
        Assert.Contains("default/a2", Row(text, a2), StringComparison.Ordinal);
        Assert.Contains("terminating", Row(text, a2), StringComparison.Ordinal);
        Assert.Contains("affinity 10800s", text, StringComparison.Ordinal);
        Assert.Contains($"{cluster.NodeAddress("node-a", "IPv4")}:{service.NodePort}/TCP", text, StringComparison.Ordinal);
        Assert.All((await _a.JsonAsync("service", "get", $"default/{service.Name}")).GetProperty("frontends").EnumerateArray(),
            f => Assert.Equal("ok", f.GetProperty("state").GetString()));
        await _a.Shows(t => t.Contains($"default/{service.Name} ", StringComparison.Ordinal), "service", "list", "-n", "default");

        await service.SetBackends();
        await _a.Shows(t => t.Contains("no backends: refused", StringComparison.Ordinal) && Row(t, a1).Length == 0, "service", "get",
            service.Name);
    }

    [Fact]
    public async Task A_service_that_was_deleted_is_not_found_any_more()
    {
        string name;
        await using (var service = await TestService.Create(cluster, "", "a1"))
        {
            name = service.Name;
            await _a.Shows(t => t.Contains("/TCP internal", StringComparison.Ordinal), "service", "get", name);
        }

        await _a.Shows(t => t.Length == 0, "service", "get", name);
        var (code, _, errors) = await _a.RunAsync("service", "get", name);
        Assert.Equal(1, code);
        Assert.Contains($"default/{name}", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_somebody_did_to_the_kernels_table_shows()
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        await _a.Shows(t => t.Contains("/TCP internal", StringComparison.Ordinal), "service", "get", service.Name);
        KernelDamage.RemoveFrontend(cluster.Cluster.Nodes["node-a"], service.ClusterIPs[0], 80);
        await _a.Shows(
            t => t.Contains($"{service.ClusterIPs[0]}:80/TCP internal\n  MISSING in the kernel", StringComparison.Ordinal), "service",
            "get", service.Name);
    }

    [Fact]
    public async Task Pods_of_this_node_are_listed_and_no_others()
    {
        // Pods of another test that are just being deleted may be half gone for a moment.
        var text = await _a.Shows(
            t => t.Contains("default/a1 ", StringComparison.Ordinal)
            && t.TrimEnd('\n').Split('\n')[1..].All(line => line.EndsWith("  ok", StringComparison.Ordinal)), "endpoint", "list");
        log.WriteLine(text);
        foreach (var pod in new[] { "a1", "a2", "client-a" })
        {
            Assert.Contains($"default/{pod} ", text, StringComparison.Ordinal);
            Assert.Contains($"{cluster.AddressOf(pod, "IPv4")},{cluster.AddressOf(pod, "IPv6")}", text, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("default/b1 ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("default/a1", (await _a.RunAsync("endpoint", "list", "-n", "shop")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_through_tc_is_listed_with_both_its_ends()
    {
        await using var service = await TestService.Create(cluster, "", "b1");
        var address = service.ClusterIPs[0];
        await cluster.AnsweredBy(PodA, "tcp", address, 80, "b1");
        var port = (await cluster.RunAsync(PodA, ["python3", "-c", Exchange, address])).ThrowIfFailed().Output.Trim();
        var client = $"{cluster.AddressOf("client-a", "IPv4")}:{port}";
        var text = await _a.Shows(t => Row(t, client).Length > 0, "conntrack", "list", "--service", $"default/{service.Name}", "--client",
            "default/client-a");
        log.WriteLine(text);
        var row = Row(text, client);
        Assert.Contains("(default/client-a)", row, StringComparison.Ordinal);
        Assert.Contains($"{address}:80", row, StringComparison.Ordinal);
        Assert.Contains($"default/{service.Name}:t", row, StringComparison.Ordinal);
        Assert.Contains($"{cluster.AddressOf("b1", "IPv4")}:8080", row, StringComparison.Ordinal);
        var line = (await _a.JsonAsync("conntrack", "list", "--service", $"default/{service.Name}", "--limit", "1000"))
            .GetProperty("connections").EnumerateArray()
            .Single(c => c.GetProperty("client").GetString() == client);
        Assert.Equal("node-b", line.GetProperty("backendNode").GetString());
        Assert.True(line.GetProperty("packetsTo").GetInt64() > 0 && line.GetProperty("packetsFrom").GetInt64() > 0);
        Assert.DoesNotContain(client, (await _a.RunAsync("conntrack", "list", "--client", "default/a1")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Destinations_name_the_other_nodes()
    {
        var text = await _a.Shows(t => t.Contains("node-b", StringComparison.Ordinal), "ipcache");
        log.WriteLine(text);
        var node = Row(text, cluster.NodeAddress("node-b", "IPv4") + "/32");
        Assert.Contains("node-b", node, StringComparison.Ordinal);
        Assert.Contains((await _a.JsonAsync("ipcache", "list")).GetProperty("prefixes").EnumerateArray(), p =>
            p.GetProperty("node").GetString() == "node-b" && p.GetProperty("kinds").EnumerateArray().Any(k => k.GetString() == "pod")
                && p.GetProperty("tunnel").ValueKind == JsonValueKind.Null);
    }

    [Fact]
    public async Task A_pod_probes_a_service_without_an_agent_to_ask()
    {
        await using var service = await TestService.Create(cluster, "", "a1");
        await cluster.AnsweredBy(PodB, "tcp", service.ClusterIPs[0], 80, "a1");
        Task<Sandbox.Fabric.ExecResult> ProbeAsync(string port) =>
            cluster.RunAsync(PodB, [Ecni.Binary, "probe", $"{service.ClusterIPs[0]}:{port}", "--timeout", "3"]);
        var good = await ProbeAsync("80");
        Assert.Equal(0, good.ExitCode);
        Assert.Contains($"connected to {service.ClusterIPs[0]}:80", good.Output, StringComparison.Ordinal);
        var closed = await ProbeAsync("81");
        Assert.Equal(1, closed.ExitCode);
        Assert.Contains("refused", closed.Errors, StringComparison.Ordinal);
    }

    /// <summary>The line that has this word; "" without.</summary>
    private static string Row(string text, string word) =>
        text.Split('\n').FirstOrDefault(l => l.Split([' ', ':'], StringSplitOptions.RemoveEmptyEntries) is var words
            && (words.Contains(word) || l.Split(' ').Contains(word)), "");
}
