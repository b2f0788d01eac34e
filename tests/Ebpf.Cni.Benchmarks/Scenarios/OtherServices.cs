using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Benchmarks.Rivals;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Benchmarks.Scenarios;

/// <summary>Services that are there to be many: endpoints written by hand, nobody behind them.</summary>
internal static class OtherServices
{
    /// <summary>The service with that number and its slice; its cluster IP.</summary>
    public static async Task<IPAddress> CreateAsync(BenchCluster bench, string name, int number, int endpoints)
    {
        var service = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject { ["name"] = name },
            ["spec"] = new JsonObject { ["ports"] = new JsonArray(new JsonObject { ["port"] = 80, ["protocol"] = "TCP" }) },
        };
        await bench.Cluster.Client.CreateAsync(ResourceTypes.EndpointSlices, "default", Slice(name, number, endpoints));
        var created = await bench.Cluster.Client.CreateAsync(ResourceTypes.Services, "default", service);
        return IPAddress.Parse(created["spec"]!["clusterIP"]!.GetValue<string>());
    }

    public static JsonObject Slice(string name, int number, int endpoints) => new()
    {
        ["apiVersion"] = "discovery.k8s.io/v1",
        ["kind"] = "EndpointSlice",
        ["metadata"] = new JsonObject { ["name"] = name + "-1", ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = name } },
        ["addressType"] = "IPv4",
        ["ports"] = new JsonArray(new JsonObject { ["name"] = "", ["port"] = 8080, ["protocol"] = "TCP" }),
        ["endpoints"] = new JsonArray([.. Enumerable.Range(0, endpoints).Select(e => (JsonNode)new JsonObject
        {
            ["addresses"] = new JsonArray(ServiceSet.Endpoint(number, e)),
            ["conditions"] = new JsonObject { ["ready"] = true },
        })]),
    };
}
