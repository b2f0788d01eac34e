using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Controllers;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sandbox.Tests.Controllers;

/// <summary>A store with the controllers on it, and no kubelet: tests play its part.</summary>
public abstract class ControllerTest : IAsyncLifetime
{
    private ControllerSet _controllers = null!;

    protected ResourceService Resources { get; } =
        new(new ObjectStore(), System.Net.IPNetwork.Parse("10.96.0.0/16"), System.Net.IPNetwork.Parse("fd96::/112"));

    protected ObjectStore Store => Resources.Store;

    public ValueTask InitializeAsync()
    {
        Resources.Create(ResourceTypes.Namespaces, "", new JsonObject { ["metadata"] = new JsonObject { ["name"] = "default" } });
        foreach (var node in (string[])["node-a", "node-b"])
            Store.Create(ResourceTypes.Nodes, Object($$$"""{"metadata":{"name":"{{{node}}}"},"status":{"conditions":[{"type":"Ready","status":"True"}]}}"""));
        _controllers = ControllerSet.Start(Resources, NullLogger.Instance);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _controllers.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    protected static JsonObject Object(string json) => (JsonObject)JsonNode.Parse(json)!;

    protected void Apply(string yaml)
    {
        foreach (var manifest in YamlManifests.Parse(yaml))
            Resources.Apply(manifest);
    }

    protected List<JsonObject> Pods() => [.. Store.List(ResourceTypes.Pods).Select(p => p.Json)];

    protected List<JsonObject> Slices(string family) =>
        [.. Store.List(ResourceTypes.EndpointSlices).Select(s => s.Json).Where(s => s.Text("addressType") == family)];

    protected IEnumerable<JsonObject> Endpoints(string family) => Slices(family).SelectMany(s => s.Items("endpoints"));

    /// <summary>What a kubelet reports of a running pod.</summary>
    protected void Report(string pod, int number, bool ready) => Store.Update(ResourceTypes.Pods, "default", pod, p =>
    {
        var n = number.ToString(CultureInfo.InvariantCulture);
        p["status"] = Object($$$"""{"phase":"Running","podIPs":[{"ip":"10.244.0.{{{n}}}"},{"ip":"fd44::{{{n}}}"}],"conditions":[{"type":"Ready","status":"{{{(ready ? "True" : "False")}}}"}]}""");
        return p;
    });

    protected void ReportAll(bool ready)
    {
        var number = 10;
        foreach (var pod in Pods().Where(p => p.Text("spec", "nodeName") is not null && !p.IsTerminating()))
            Report(pod.Name(), number++, ready);
    }

    protected static Task Soon(Func<bool> condition, string what) => Eventually.True(condition, what);
}
