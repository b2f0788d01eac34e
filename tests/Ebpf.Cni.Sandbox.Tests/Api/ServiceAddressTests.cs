using System.Globalization;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Api;

public sealed class ServiceAddressTests : ApiTest
{
    [Fact]
    public async Task Dual_stack_services_get_an_address_of_each_family_and_return_them()
    {
        var (_, first) = await SendAsync(HttpMethod.Post, Services, Service("a", "\"ipFamilyPolicy\":\"PreferDualStack\""));
        Assert.Equal(["IPv4", "IPv6"], first.Texts("spec", "ipFamilies"));
        Assert.Equal(2, first.Texts("spec", "clusterIPs").Count());
        Assert.Equal(first.Text("spec", "clusterIP"), first.Texts("spec", "clusterIPs").First());

        var address = first.Text("spec", "clusterIP");
        Assert.Equal(422, (await SendAsync(HttpMethod.Post, Services, Service("b", $"\"clusterIP\":\"{address}\""))).Code);
        await SendAsync(HttpMethod.Delete, Services + "/a");
        Assert.Equal(201, (await SendAsync(HttpMethod.Post, Services, Service("b", $"\"clusterIP\":\"{address}\""))).Code);
    }

    [Fact]
    public async Task A_refused_service_keeps_no_address()
    {
        await SendAsync(HttpMethod.Post, Services, Service("a", "\"clusterIP\":\"10.96.3.3\""));
        Assert.Equal(422, (await SendAsync(HttpMethod.Post, Services,
            Service("b", "\"ipFamilyPolicy\":\"RequireDualStack\",\"clusterIPs\":[\"10.96.4.4\",\"10.96.4.5\"],"
                + "\"ipFamilies\":[\"IPv4\",\"IPX\"]"))).Code);
        Assert.Equal(201, (await SendAsync(HttpMethod.Post, Services, Service("c", "\"clusterIP\":\"10.96.4.4\""))).Code);
    }

    [Fact]
    public async Task The_cluster_address_does_not_change_but_the_second_family_may_come_and_go()
    {
        var (_, made) = await SendAsync(HttpMethod.Post, Services, Service("a", "\"ipFamilyPolicy\":\"SingleStack\""));
        Assert.Equal(422, (await Patch("""{"spec":{"clusterIP":"10.96.9.9"}}""")).Code);
        var (_, dual) = await Patch("""{"spec":{"ipFamilyPolicy":"PreferDualStack"}}""");
        Assert.Equal(2, dual.Texts("spec", "clusterIPs").Count());
        var (_, single) = await Patch("""{"spec":{"ipFamilyPolicy":"SingleStack"}}""");
        Assert.Equal([made.Text("spec", "clusterIP")], single.Texts("spec", "clusterIPs"));
        Assert.Equal(["IPv4"], single.Texts("spec", "ipFamilies"));
    }

    [Fact]
    public async Task Headless_and_external_services_get_none()
    {
        var (_, headless) = await SendAsync(HttpMethod.Post, Services, Service("a", "\"clusterIP\":\"None\""));
        Assert.Equal(["None"], headless.Texts("spec", "clusterIPs"));
        var (_, external) = await SendAsync(HttpMethod.Post, Services,
            Service("b", "\"type\":\"ExternalName\",\"externalName\":\"x.example\""));
        Assert.Null(external.Text("spec", "clusterIP"));
    }

    [Fact]
    public async Task Node_ports_are_unique_and_kept()
    {
        var ports = new HashSet<long?>();
        for (var i = 0; i < 5; i++)
            Assert.True(ports.Add(
                (await SendAsync(HttpMethod.Post, Services,
                Service("n" + i.ToString(CultureInfo.InvariantCulture), "\"type\":\"NodePort\""))).Json.Items("spec", "ports").First()
                .Number("nodePort")));
        var before = Server.Store.Get(ResourceTypes.Services, "default", "n0")!.Json.Items("spec", "ports").First().Number("nodePort");
        var (_, after) = await SendAsync(HttpMethod.Patch, Services + "/n0", """{"metadata":{"labels":{"a":"b"}}}""", "application/merge-patch+json");
        Assert.Equal(before, after.Items("spec", "ports").First().Number("nodePort"));
    }

    private Task<(int Code, System.Text.Json.Nodes.JsonNode? Json)> Patch(string patch) =>
        SendAsync(HttpMethod.Patch, Services + "/a", patch, "application/merge-patch+json");

    private static string Service(string name, string spec) => $$$"""{"metadata":{"name":"{{{name}}}"},"spec":{ {{{spec}}},"ports":[{"port":80}]} }""";
}
