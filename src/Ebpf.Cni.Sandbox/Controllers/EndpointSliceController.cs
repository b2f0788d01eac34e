using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// EndpointSlices from the selectors of Services and the addresses and conditions of pods: one set of slices per family and per combination
/// of resolved target ports, at most <see cref="MaxEndpoints"/> endpoints each. Writes only what differs. Slices made by others are left
/// alone.
/// </summary>
internal sealed class EndpointSliceController(ResourceService resources, TimeProvider time, ILogger logger)
    : Controller(resources.Store, logger)
{
    public const int MaxEndpoints = 100;
    private const string ManagedBy = "endpointslice-controller.k8s.io";
    private const string TriggerTime = "endpoints.kubernetes.io/last-change-trigger-time";

    protected override IReadOnlyList<ResourceType> Watched
        { get; } = [ResourceTypes.Services, ResourceTypes.Pods, ResourceTypes.EndpointSlices, ResourceTypes.Nodes];

    protected override void Reconcile()
    {
        var managed = Store.List(ResourceTypes.EndpointSlices).Select(s => s.Json)
            .Where(s => s.Text("metadata", "labels", "endpointslice.kubernetes.io/managed-by") == ManagedBy)
            .ToLookup(s => (s.Namespace(), s.Text("metadata", "labels", "kubernetes.io/service-name") ?? ""));
        var pods = Store.List(ResourceTypes.Pods).Select(p => p.Json).ToLookup(p => p.Namespace());
        var nodes = Store.List(ResourceTypes.Nodes).Select(n => n.Json).ToList();
        var services = Store.List(ResourceTypes.Services).Select(s => s.Json)
            .Where(s => s.Pairs("spec", "selector").Any() && s.Text("spec", "type") != "ExternalName").ToList();
        foreach (var service in services)
            Reconcile(service, [.. managed[(service.Namespace(), service.Name())]], pods[service.Namespace()], nodes);
        var known = services.Select(s => (s.Namespace(), s.Name())).ToHashSet();
        foreach (var orphan in managed.Where(g => !known.Contains(g.Key)).SelectMany(g => g))
            Store.Remove(ResourceTypes.EndpointSlices, orphan.Namespace(), orphan.Name());
    }

    private void Reconcile(JsonObject service, List<JsonObject> slices, IEnumerable<JsonObject> pods, List<JsonObject> nodes)
    {
        var selector = LabelSelector.FromMap(service.At("spec", "selector"));
        var backends = pods.Where(p => selector.Matches(p) && p.Text("status", "phase") is not ("Succeeded" or "Failed")).ToList();
        foreach (var family in service.Texts("spec", "ipFamilies"))
        {
            var groups = Group(service, backends, family, nodes);
            TopologyHints.Set(service, [.. groups.SelectMany(g => g.Endpoints)], nodes);
            foreach (var (ports, endpoints) in groups)
            {
                var present = slices.Where(s => s.Text("addressType") == family && JsonNode.DeepEquals(s["ports"], ports)).ToList();
                Write(service, family, ports, endpoints, present);
                slices.RemoveAll(present.Contains);
            }
        }

        foreach (var stale in slices)
            Store.Remove(ResourceTypes.EndpointSlices, stale.Namespace(), stale.Name());
    }

    // Pods may resolve a named target port differently (two versions of a Deployment): each resolution gets its own slices.
    private static List<(JsonArray Ports, List<JsonObject> Endpoints)> Group(
        JsonObject service, List<JsonObject> backends, string family, List<JsonObject> nodes)
    {
        var groups = new List<(JsonArray Ports, List<JsonObject> Endpoints)>();
        foreach (var pod in backends)
        {
            if (AddressOf(pod, family) is not { } address)
                continue;
            var ports = ResolvePorts(service, pod);
            var group = groups.Find(g => JsonNode.DeepEquals(g.Ports, ports));
            if (group.Ports is null)
                groups.Add(group = (ports, []));
            group.Endpoints.Add(Endpoint(service, pod, address, nodes));
        }

        if (groups.Count == 0)
            groups.Add(([], []));
        return groups;
    }

    private static string? AddressOf(JsonObject pod, string family) =>
        pod.Items("status", "podIPs").Select(i => i.Text("ip"))
            .FirstOrDefault(ip => ip is not null && ip.Contains(':') == (family == "IPv6"));

    private static JsonArray ResolvePorts(JsonObject service, JsonObject pod)
    {
        var resolved = new JsonArray();
        foreach (var port in service.Items("spec", "ports"))
        {
            var protocol = port.Text("protocol") ?? "TCP";
            var number = port.Number("targetPort") ?? pod.Containers().SelectMany(c => c.Items("ports"))
                .FirstOrDefault(p => p.Text("name") == port.Text("targetPort") && (p.Text("protocol") ?? "TCP") == protocol)
                .Number("containerPort");
            if (number is null)
                continue;
            var entry = new JsonObject { ["name"] = port.Text("name") ?? "", ["port"] = number, ["protocol"] = protocol };
            if (port.Text("appProtocol") is { } app)
                entry["appProtocol"] = app;
            resolved.Add((JsonNode)entry);
        }

        return resolved;
    }

    private static JsonObject Endpoint(JsonObject service, JsonObject pod, string address, List<JsonObject> nodes)
    {
        var serving = pod.Condition("Ready") == "True";
        var terminating = pod.IsTerminating();
        var endpoint = new JsonObject
        {
            ["addresses"] = new JsonArray(address),
            ["conditions"] = new JsonObject
            {
                ["ready"] = (serving && !terminating) || service.Flag("spec", "publishNotReadyAddresses") == true,
                ["serving"] = serving,
                ["terminating"] = terminating,
            },
            ["nodeName"] = pod.Text("spec", "nodeName"),
            ["targetRef"] = new JsonObject { ["kind"] = "Pod", ["name"] = pod.Name(), ["namespace"] = pod.Namespace(),
                ["uid"] = pod.Uid() },
        };
        if (TopologyHints.ZoneOf(nodes.Find(n => n.Name() == pod.Text("spec", "nodeName"))) is { } zone)
            endpoint["zone"] = zone;
        return endpoint;
    }

    // An endpoint stays in the slice it is in, so that one pod's change is one slice's write.
    private void Write(JsonObject service, string family, JsonArray ports, List<JsonObject> endpoints, List<JsonObject> present)
    {
        var left = endpoints.ToDictionary(e => e.Text("targetRef", "uid") ?? "");
        var contents = present.Select(slice => slice.Items("endpoints").Select(e => e.Text("targetRef", "uid") ?? "")
            .Select(uid => left.Remove(uid, out var endpoint) ? endpoint : null).OfType<JsonObject>().ToList()).ToList();
        foreach (var endpoint in left.Values)
        {
            var home = contents.Find(c => c.Count < MaxEndpoints);
            if (home is null)
                contents.Add(home = []);
            home.Add(endpoint);
        }

        if (contents.Count == 0)
            contents.Add([]);
        for (var i = 0; i < contents.Count; i++)
        {
            // Keep one empty slice when nothing is left at all; drop the others.
            if (contents[i].Count == 0 && contents.Exists(c => c.Count > 0))
                Store.Remove(ResourceTypes.EndpointSlices, present[i].Namespace(), present[i].Name());
            else if (i < present.Count)
                Replace(service, present[i], contents[i]);
            else
                Create(service, family, ports, contents[i]);
        }
    }

    private void Replace(JsonObject service, JsonObject slice, List<JsonObject> endpoints) =>
        Store.Update(ResourceTypes.EndpointSlices, slice.Namespace(), slice.Name(), s =>
    {
        var next = endpoints.Cast<JsonNode>().ToJsonArray();
        if (!JsonNode.DeepEquals(s["endpoints"], next))
            s.Child("metadata").Child("annotations")[TriggerTime] = Now();
        s["endpoints"] = next;
        s.Child("metadata")["labels"] = Labels(service);
        return s;
    });

    private void Create(JsonObject service, string family, JsonArray ports, List<JsonObject> endpoints) =>
        resources.Create(ResourceTypes.EndpointSlices, service.Namespace(), new JsonObject
    {
        ["metadata"] = new JsonObject
        {
            ["generateName"] = service.Name() + "-",
            ["labels"] = Labels(service),
            ["annotations"] = new JsonObject { [TriggerTime] = Now() },
            ["ownerReferences"] = Ownership.Reference(service),
        },
        ["addressType"] = family,
        ["ports"] = ports.DeepClone(),
        ["endpoints"] = endpoints.Cast<JsonNode>().ToJsonArray(),
    });

    // to the microsecond: what is measured by it takes milliseconds
    private string Now() => time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);

    private static JsonObject Labels(JsonObject service)
    {
        var labels = (service.At("metadata", "labels") as JsonObject)?.Copy() ?? [];
        labels["kubernetes.io/service-name"] = service.Name();
        labels["endpointslice.kubernetes.io/managed-by"] = ManagedBy;
        if (service.Text("spec", "clusterIP") == "None")
            labels["service.kubernetes.io/headless"] = "";
        return labels;
    }
}
