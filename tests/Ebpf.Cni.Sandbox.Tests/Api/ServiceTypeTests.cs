using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>Node ports and the fields that come and go with a Service's type, as the real API server has them.</summary>
public sealed class ServiceTypeTests : ApiTest
{
    [Fact]
    public async Task A_node_port_is_anothers_once_it_is_given_and_free_when_its_service_goes()
    {
        Assert.Equal(201, (await Create("a", """ "type":"NodePort","ports":[{"port":80,"nodePort":31234}] """)).Code);
        var (code, status) = await Create("b", """ "type":"NodePort","ports":[{"port":80,"nodePort":31234}] """);
        Assert.Equal(422, code);
        Assert.Contains("provided port is already allocated", status.Text("message"), StringComparison.Ordinal);
        await SendAsync(HttpMethod.Delete, Services + "/a");
        Assert.Equal(201, (await Create("b", """ "type":"NodePort","ports":[{"port":80,"nodePort":31234}] """)).Code);
    }

    [Theory]
    [InlineData(29999)]
    [InlineData(32768)]
    public async Task A_node_port_out_of_range_is_refused_and_nothing_stays_taken(int port)
    {
        var (code, status) = await Create("a", $$""" "type":"NodePort","clusterIP":"10.96.7.7","ports":[{"port":80,"nodePort":{{port}}}] """);
        Assert.Equal(422, code);
        Assert.Contains("30000-32767", status.Text("message"), StringComparison.Ordinal);
        Assert.Equal(201, (await Create("b", """ "clusterIP":"10.96.7.7","ports":[{"port":80}] """)).Code);
    }

    [Fact]
    public async Task One_port_of_two_protocols_has_one_node_port_and_two_services_never_share_one()
    {
        const string both = """ "type":"NodePort","ports":[{"name":"t","port":53,"protocol":"TCP","nodePort":30100},{"name":"u","port":53,"protocol":"UDP","nodePort":30100}] """;
        Assert.Equal([30100, 30100], NodePorts((await Create("a", both)).Json));
        var (_, chosen) = await Create("b", """ "type":"NodePort","ports":[{"name":"t","port":53,"protocol":"TCP"},{"name":"u","port":53,"protocol":"UDP"}] """);
        Assert.Single(NodePorts(chosen).Distinct());
        Assert.Equal(422, (await Create("c", """ "type":"NodePort","ports":[{"port":9,"protocol":"UDP","nodePort":30100}] """)).Code);
        Assert.Equal(422, (await Create("d", """ "ports":[{"port":9,"nodePort":30500}] """)).Code); // a ClusterIP has none
    }

    [Fact]
    public async Task Types_change_and_what_only_the_old_one_had_goes()
    {
        var (_, service) = await Create("a", """ "type":"ExternalName","externalName":"there.example","ports":[{"port":80}] """);
        Assert.Null(service.Text("spec", "clusterIP"));
        service = await Patch("a", """ {"spec":{"type":"NodePort"}} """);
        var address = service.Text("spec", "clusterIP");
        Assert.NotNull(address);
        Assert.Null(service.Text("spec", "externalName"));
        var port = Assert.Single(NodePorts(service));
        Assert.Equal("Cluster", service.Text("spec", "externalTrafficPolicy"));

        service = await Patch("a", """ {"spec":{"type":"LoadBalancer"}} """);
        Assert.Equal([port], NodePorts(service));
        Assert.True(service.Flag("spec", "allocateLoadBalancerNodePorts"));
        service = await Patch("a", """ {"spec":{"type":"ClusterIP"}} """);
        Assert.Equal([0], NodePorts(service));
        Assert.Null(service.Text("spec", "externalTrafficPolicy"));
        Assert.Null(service.Flag("spec", "allocateLoadBalancerNodePorts"));
        Assert.Equal(address, service.Text("spec", "clusterIP"));

        service = await Patch("a", """ {"spec":{"type":"ExternalName","externalName":"there.example"}} """);
        Assert.Null(service.Text("spec", "clusterIP"));
        Assert.Equal(201, (await Create("b", $$""" "clusterIP":"{{address}}","type":"NodePort","ports":[{"port":80,"nodePort":{{port}}}] """)).Code);
        Assert.Equal(422, (await Create("c", """ "type":"ExternalName" """)).Code);
    }

    [Fact]
    public async Task A_local_load_balancer_has_a_health_check_port_as_long_as_it_is_local()
    {
        var (_, service) = await Create("a", """ "type":"LoadBalancer","externalTrafficPolicy":"Local","ports":[{"port":80}] """);
        var port = service.Number("spec", "healthCheckNodePort");
        Assert.InRange(port ?? 0, 30000, 32767);
        Assert.NotEqual([port ?? 0], NodePorts(service));
        Assert.Equal(port, (await Patch("a", """ {"metadata":{"labels":{"a":"b"}}} """)).Number("spec", "healthCheckNodePort"));
        Assert.Null((await Patch("a", """ {"spec":{"externalTrafficPolicy":"Cluster"}} """)).Number("spec", "healthCheckNodePort"));
        Assert.Equal(201, (await Create("b", $$""" "type":"NodePort","ports":[{"port":80,"nodePort":{{port}}}] """)).Code);
        Assert.InRange((await Patch("a", """ {"spec":{"externalTrafficPolicy":"Local"}} """)).Number("spec", "healthCheckNodePort") ?? 0, 30000, 32767);
        Assert.Equal(422, (await Create("c", """ "type":"NodePort","healthCheckNodePort":32000,"ports":[{"port":80}] """)).Code);
        Assert.Equal(422, (await Create("d", $$""" "type":"LoadBalancer","externalTrafficPolicy":"Local","healthCheckNodePort":{{port}},"ports":[{"port":80}] """)).Code);
    }

    [Fact]
    public async Task A_load_balancer_without_node_ports_gets_only_those_it_names_and_keeps_what_it_had()
    {
        Assert.Equal([0], NodePorts((await Create("a", """ "type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"ports":[{"port":80}] """)).Json));
        Assert.Equal([31000], NodePorts((await Create("b", """ "type":"LoadBalancer","allocateLoadBalancerNodePorts":false,"ports":[{"port":80,"nodePort":31000}] """)).Json));
        var (_, service) = await Create("c", """ "type":"LoadBalancer","ports":[{"port":80}] """);
        Assert.Equal(NodePorts(service), NodePorts(await Patch("c", """ {"spec":{"allocateLoadBalancerNodePorts":false}} """)));
    }

    [Fact]
    public async Task The_load_balancers_address_is_written_to_the_status_by_patch_and_put_and_goes_with_the_type()
    {
        await Create("a", """ "type":"LoadBalancer","ports":[{"port":80}] """);
        var (_, patched) = await SendAsync(
            HttpMethod.Patch, Services + "/a/status", """{"status":{"loadBalancer":{"ingress":[{"ip":"203.0.113.9"}]}}}""", "application/merge-patch+json");
        Assert.Equal(("203.0.113.9", "VIP"), Ingress(patched));
        var changed = (JsonObject)patched!;
        changed["status"]!["loadBalancer"]!["ingress"]![0]!["ip"] = "203.0.113.10";
        var (code, put) = await SendAsync(HttpMethod.Put, Services + "/a/status", changed.ToJsonString());
        Assert.Equal((200, ("203.0.113.10", "VIP")), (code, Ingress(put)));
        Assert.Equal((null, null), Ingress(await Patch("a", """ {"spec":{"type":"ClusterIP"}} """)));
    }

    [Theory]
    [InlineData(""" "externalIPs":["127.0.0.1"],"ports":[{"port":80}] """)]
    [InlineData(""" "externalIPs":["x"],"ports":[{"port":80}] """)]
    [InlineData(""" "loadBalancerSourceRanges":["10.0.0.0/8"],"ports":[{"port":80}] """)]
    [InlineData(""" "type":"LoadBalancer","loadBalancerSourceRanges":["10.0.0.0/99"],"ports":[{"port":80}] """)]
    [InlineData(""" "externalTrafficPolicy":"Local","ports":[{"port":80}] """)]
    [InlineData(""" "internalTrafficPolicy":"Near","ports":[{"port":80}] """)]
    [InlineData(""" "trafficDistribution":"Far","ports":[{"port":80}] """)]
    [InlineData(""" "sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}},"ports":[{"port":80}] """)]
    public async Task What_makes_no_sense_is_refused(string spec) => Assert.Equal(422, (await Create("a", spec)).Code);

    [Fact]
    public async Task Affinity_and_external_addresses_bring_their_defaults()
    {
        var (_, service) = await Create("a", """ "externalIPs":["203.0.113.200"],"sessionAffinity":"ClientIP","ports":[{"port":80}] """);
        Assert.Equal(10800, service.Number("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds"));
        Assert.Equal("Cluster", service.Text("spec", "externalTrafficPolicy"));
        service = await Patch("a", """ {"spec":{"sessionAffinity":"None"}} """);
        Assert.Null(service.At("spec", "sessionAffinityConfig"));
    }

    [Fact]
    public async Task A_dry_run_takes_nothing()
    {
        const string body = """{"metadata":{"name":"a"},"spec":{"type":"NodePort","clusterIP":"10.96.5.5","ports":[{"port":80,"nodePort":30777}]}}""";
        for (var i = 0; i < 2; i++)
            Assert.Equal(201, (await SendAsync(HttpMethod.Post, Services + "?dryRun=All", body)).Code);
        Assert.Equal(201, (await SendAsync(HttpMethod.Post, Services, body)).Code);
    }

    private async Task<JsonNode?> Patch(string name, string patch)
    {
        var (code, json) = await SendAsync(HttpMethod.Patch, $"{Services}/{name}", patch, "application/merge-patch+json");
        Assert.True(code == 200, json?.ToJsonString());
        return json;
    }

    private Task<(int Code, JsonNode? Json)> Create(string name, string spec) =>
        SendAsync(HttpMethod.Post, Services, $$"""{"metadata":{"name":"{{name}}"},"spec":{ {{spec}} } }""");

    private static (string? Ip, string? Mode) Ingress(JsonNode? service) =>
        service.Items("status", "loadBalancer", "ingress").Select(i => ((string?, string?))(i.Text("ip"), i.Text("ipMode")))
            .FirstOrDefault();

    private static List<long> NodePorts(JsonNode? service) => [.. service.Items("spec", "ports").Select(p => p.Number("nodePort") ?? 0)];
}
