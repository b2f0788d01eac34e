using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A malformed object is named by an Event, and hurts no other.</summary>
public sealed class BadObjectTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    [Fact]
    public async Task An_endpoint_with_a_malformed_address_gets_an_event_and_the_rest_goes_on()
    {
        await fixture.Cluster.ApplyAsync("apiVersion: v1\nkind: Service\nmetadata: {name: damaged}\nspec: {ports: [{port: 80}]}\n");
        var web = (await fixture.Cluster.WaitForPodsReady("app=web", 3))[0]["status"]!["podIP"]!.GetValue<string>();
        await fixture.Cluster.Client.CreateAsync(ResourceTypes.EndpointSlices, "default", new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject { ["name"] = "damaged-1",
                ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = "damaged" } },
            ["addressType"] = "IPv4",
            ["ports"] = new JsonArray(new JsonObject { ["name"] = "", ["port"] = 8080, ["protocol"] = "TCP" }),
            ["endpoints"] = new JsonArray(Endpoint("10.244.999.1"), Endpoint("127.0.0.1"), Endpoint(web)),
        });
        var address = (await fixture.AddressesOf("damaged"))[0];
        await fixture.AnsweredBy("tcp", address, 80, 1); // the good one of the three
        await fixture.Cluster.Client.WaitAsync(
            ResourceTypes.Events, "default", null,
            events => events.Any(e => e["type"]?.GetValue<string>() == "Warning"
                && e.ToJsonString().Contains("damaged-1", StringComparison.Ordinal)
                && e.ToJsonString().Contains("10.244.999.1", StringComparison.Ordinal)),
            "an event names the slice and the address");
        foreach (var other in await fixture.AddressesOf("hello"))
            await fixture.AnsweredBy("tcp", other, 80, 3);
        await fixture.Cluster.Client.DeleteAsync(ResourceTypes.EndpointSlices, "default", "damaged-1");
        await fixture.Refused(address, 80);
        await fixture.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", "damaged");
    }

    private static JsonObject Endpoint(string address) => new()
    {
        ["addresses"] = new JsonArray(address),
        ["conditions"] = new JsonObject { ["ready"] = true },
    };
}
