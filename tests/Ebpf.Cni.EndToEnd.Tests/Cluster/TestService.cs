using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>
/// A Service of one test, dual-stack unless it says otherwise, with TCP and UDP on port 80; its EndpointSlices are made by hand, so that an
/// endpoint is in whatever state the test wants. Disposing deletes it.
/// </summary>
public sealed class TestService : IAsyncDisposable
{
    private static int _number;
    private readonly ServiceCluster _cluster;

    private TestService(ServiceCluster cluster, JsonObject stored)
    {
        _cluster = cluster;
        Json = stored;
    }

    /// <summary>As it was last stored.</summary>
    public JsonObject Json { get; private set; }

    public string Name => Json.Name();

    public IReadOnlyList<string> ClusterIPs => [.. Json.Texts("spec", "clusterIPs")];

    public IReadOnlyList<string> LoadBalancerIPs => [.. Json.Items("status", "loadBalancer", "ingress").Select(i => i.Text("ip")!)];

    public int NodePort => (int)(Json.Items("spec", "ports").First().Number("nodePort") ?? 0);

    public int HealthCheckNodePort => (int)(Json.Number("spec", "healthCheckNodePort") ?? 0);

    /// <param name="spec">More of the spec, as YAML in one line: "type: NodePort, sessionAffinity: ClientIP".</param>
    public static async Task<TestService> Create(ServiceCluster cluster, string spec = "", params TestEndpoint[] backends)
    {
        var name = "t" + Interlocked.Increment(ref _number).ToString(CultureInfo.InvariantCulture);
        var ports = spec.Contains("ports:", StringComparison.Ordinal) ? ""
            : "ports: [{name: t, port: 80, targetPort: 8080, protocol: TCP}, {name: u, port: 80, targetPort: 8080, protocol: UDP}], ";
        var families = spec.Contains("ipFamil", StringComparison.Ordinal) ? "" : "ipFamilyPolicy: RequireDualStack, ";
        var manifest = YamlManifests.Parse(
            $"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{families}{ports}{spec}}}\n").Single();
        var service = new TestService(cluster, await cluster.Cluster.Client.CreateAsync(ResourceTypes.Services, "default", manifest));
        foreach (var family in new[] { "IPv4", "IPv6" })
            await cluster.Cluster.Client.CreateAsync(ResourceTypes.EndpointSlices, "default", service.Slice(family, backends, 8080));
        if (service.Json.Text("spec", "type") == "LoadBalancer")
            await service.WaitBalanced();
        return service;
    }

    /// <summary>Replaces all endpoints.</summary>
    public Task SetBackends(params TestEndpoint[] backends) => SetBackends(8080, backends);

    /// <param name="targetPort">Where they listen.</param>
    /// <param name="backends">All there are from now on.</param>
    public async Task SetBackends(int targetPort, params TestEndpoint[] backends)
    {
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            var slice = Slice(family, backends, targetPort);
            var patch = new JsonObject { ["endpoints"] = slice["endpoints"]!.DeepClone(), ["ports"] = slice["ports"]!.DeepClone() };
            await _cluster.Cluster.Client.PatchAsync(ResourceTypes.EndpointSlices, "default", slice.Name(), patch);
        }
    }

    /// <summary>Changes the spec.</summary>
    /// <param name="spec">YAML in one line, merged.</param>
    public async Task Change(string spec)
    {
        var patch = YamlManifests.Parse($"spec: {{{spec}}}\n").Single();
        Json = await _cluster.Cluster.Client.PatchAsync(ResourceTypes.Services, "default", Name, patch);
        if (Json.Text("spec", "type") == "LoadBalancer")
            await WaitBalanced();
    }

    /// <summary>Sets a label, or removes it (null).</summary>
    public async Task Label(string label, string? value) => Json = await _cluster.Cluster.Client.PatchAsync(
        ResourceTypes.Services, "default", Name,
        new JsonObject { ["metadata"] = new JsonObject { ["labels"] = new JsonObject { [label] = value } } });

    public async ValueTask DisposeAsync()
    {
        await _cluster.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", Name);
        foreach (var family in new[] { "IPv4", "IPv6" })
            await _cluster.Cluster.Client.DeleteAsync(ResourceTypes.EndpointSlices, "default", SliceName(family));
    }

    private string SliceName(string family) => $"{Name}-{family.ToLowerInvariant()}";

    private Task WaitBalanced() => Eventually.True(
        async () =>
        {
            Json = await _cluster.Cluster.Client.GetAsync(ResourceTypes.Services, "default", Name);
            return LoadBalancerIPs.Count == Json.Texts("spec", "ipFamilies").Count();
        }, $"{Name} has a load balancer");

    private JsonObject Slice(string family, TestEndpoint[] backends, int targetPort)
    {
        var endpoints = backends.Select(b => (JsonNode)b.ToJson(_cluster.AddressOf(b.Pod, family), _cluster.NodeOf(b.Pod))).ToArray();
        var ports = Json.Items("spec", "ports").Select(p => (JsonNode)new JsonObject
        {
            ["name"] = p.Text("name") ?? "",
            ["port"] = targetPort,
            ["protocol"] = p.Text("protocol"),
        }).ToArray();
        return new JsonObject
        {
            ["metadata"] = new JsonObject { ["name"] = SliceName(family),
                ["labels"] = new JsonObject { ["kubernetes.io/service-name"] = Name } },
            ["addressType"] = family,
            ["ports"] = new JsonArray(ports),
            ["endpoints"] = new JsonArray(endpoints),
        };
    }
}
