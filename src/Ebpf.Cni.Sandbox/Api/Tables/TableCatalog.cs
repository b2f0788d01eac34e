using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Tables;

/// <summary>The tables of all kinds, with the columns a real API server has.</summary>
internal sealed class TableCatalog
{
    private readonly Dictionary<ResourceType, TableDefinition> _tables;
    private readonly TableDefinition _plain;

    public TableCatalog(TimeProvider time)
    {
        var name = new TableColumn("Name", o => o.Name(), Format: "name");
        var age = new TableColumn("Age", o => TableDefinition.Age(o.Text("metadata", "creationTimestamp"), time.GetUtcNow()));
        _plain = new([name, age]);
        _tables = new()
        {
            [ResourceTypes.Namespaces] = new([name, Of("Status", o => o.Text("status", "phase")), age]),
            [ResourceTypes.Nodes] = Nodes(name, age),
            [ResourceTypes.Pods] = Pods(name, age),
            [ResourceTypes.Services] = Services(name, age),
            [ResourceTypes.Deployments] = Deployments(name, age),
            [ResourceTypes.ReplicaSets] = ReplicaSets(name, age),
            [ResourceTypes.DaemonSets] = DaemonSets(name, age),
            [ResourceTypes.EndpointSlices] = EndpointSlices(name, age),
            [ResourceTypes.ConfigMaps] = new([name, Number("Data", o => (o["data"] as JsonObject)?.Count ?? 0), age]),
            [ResourceTypes.ClusterRoleBindings] = new([name, Of("Role", Role), age]),
            [ResourceTypes.RoleBindings] = new([name, Of("Role", Role), age]),
            [ResourceTypes.Events] = Events(time),
        };
    }

    public TableDefinition For(ResourceType type) => _tables.GetValueOrDefault(type, _plain);

    private static TableColumn Of(string name, Func<JsonObject, string?> cell, bool wide = false) => new(name, o => cell(o) ?? "", wide);

    private static TableColumn Number(string name, Func<JsonObject, long> cell) => new(name, o => cell(o), Type: "integer");

    private static string Role(JsonObject binding) => $"{binding.Text("roleRef", "kind")}/{binding.Text("roleRef", "name")}";

    private static TableDefinition Pods(TableColumn name, TableColumn age) => new(
    [
        name,
        Of("Ready", o =>
            $"{o.Items("status", "containerStatuses").Count(c => c.Flag("ready") == true)}/{o.Items("spec", "containers").Count()}"),
        Of("Status", PodStatus),
        Of("Restarts", o => o.Items("status", "containerStatuses").Sum(c => c.Number("restartCount") ?? 0)
            .ToString(CultureInfo.InvariantCulture)),
        age,
        Of("IP", o => o.Text("status", "podIP") ?? "<none>", wide: true),
        Of("Node", o => o.Text("spec", "nodeName") ?? "<none>", wide: true),
        Of("Nominated Node", _ => "<none>", wide: true),
        Of("Readiness Gates", _ => "<none>", wide: true),
    ]);

    private static string PodStatus(JsonObject pod)
    {
        if (pod.IsTerminating())
            return "Terminating";
        var waiting = pod.Items("status", "containerStatuses").Select(c => c.Text("state", "waiting", "reason"))
            .FirstOrDefault(r => r is not null);
        return waiting ?? pod.Text("status", "reason")
            ?? (pod.Text("status", "phase") == "Succeeded" ? "Completed" : pod.Text("status", "phase") ?? "Unknown");
    }

    private static TableDefinition Nodes(TableColumn name, TableColumn age) => new(
    [
        name,
        Of("Status", o => (o.Condition("Ready") == "True" ? "Ready" : "NotReady")
            + (o.Flag("spec", "unschedulable") == true ? ",SchedulingDisabled" : "")),
        Of("Roles", _ => "<none>"),
        age,
        Of("Version", o => o.Text("status", "nodeInfo", "kubeletVersion")),
        Of("Internal-IP", o => o.Items("status", "addresses").FirstOrDefault(a => a.Text("type") == "InternalIP").Text("address")
            ?? "<none>", wide: true),
        Of("External-IP", _ => "<none>", wide: true),
        Of("OS-Image", o => o.Text("status", "nodeInfo", "osImage"), wide: true),
        Of("Kernel-Version", o => o.Text("status", "nodeInfo", "kernelVersion"), wide: true),
        Of("Container-Runtime", o => o.Text("status", "nodeInfo", "containerRuntimeVersion"), wide: true),
    ]);

    private static TableDefinition Services(TableColumn name, TableColumn age) => new(
    [
        name,
        Of("Type", o => o.Text("spec", "type")),
        Of("Cluster-IP", o => o.Text("spec", "clusterIP") ?? "<none>"),
        Of("External-IP", ExternalIp),
        Of("Port(s)", o => Join(o.Items("spec", "ports")
            .Select(p => p.Number("nodePort") is { } n
            ? $"{p.Number("port")}:{n}/{p.Text("protocol")}" : $"{p.Number("port")}/{p.Text("protocol")}"))),
        age,
        Of("Selector", o => Join(o.Pairs("spec", "selector").Select(p => $"{p.Key}={p.Value}")), wide: true),
    ]);

    private static string ExternalIp(JsonObject service)
    {
        var addresses = service.Items("status", "loadBalancer", "ingress").Select(i => i.Text("ip") ?? i.Text("hostname") ?? "")
            .Concat(service.Texts("spec", "externalIPs")).ToList();
        return service.Text("spec", "type") switch
        {
            "ExternalName" => service.Text("spec", "externalName") ?? "<none>",
            "LoadBalancer" when addresses.Count == 0 => "<pending>",
            _ => Join(addresses),
        };
    }

    private static TableDefinition Deployments(TableColumn name, TableColumn age) => new(
    [
        name,
        Of("Ready", o => $"{o.Number("status", "readyReplicas") ?? 0}/{o.Number("spec", "replicas") ?? 0}"),
        Number("Up-to-date", o => o.Number("status", "updatedReplicas") ?? 0),
        Number("Available", o => o.Number("status", "availableReplicas") ?? 0),
        age,
        .. TemplateColumns(),
    ]);

    private static TableDefinition ReplicaSets(TableColumn name, TableColumn age) => new(
    [
        name,
        Number("Desired", o => o.Number("spec", "replicas") ?? 0),
        Number("Current", o => o.Number("status", "replicas") ?? 0),
        Number("Ready", o => o.Number("status", "readyReplicas") ?? 0),
        age,
        .. TemplateColumns(),
    ]);

    private static TableDefinition DaemonSets(TableColumn name, TableColumn age) => new(
    [
        name,
        Number("Desired", o => o.Number("status", "desiredNumberScheduled") ?? 0),
        Number("Current", o => o.Number("status", "currentNumberScheduled") ?? 0),
        Number("Ready", o => o.Number("status", "numberReady") ?? 0),
        Number("Up-to-date", o => o.Number("status", "updatedNumberScheduled") ?? 0),
        Number("Available", o => o.Number("status", "numberAvailable") ?? 0),
        Of("Node Selector", o => Join(o.Pairs("spec", "template", "spec", "nodeSelector").Select(p => $"{p.Key}={p.Value}"))),
        age,
        .. TemplateColumns(),
    ]);

    private static IEnumerable<TableColumn> TemplateColumns() =>
    [
        Of("Containers", o => Join(o.Items("spec", "template", "spec", "containers").Select(c => c.Text("name") ?? "")), wide: true),
        Of("Images", o => Join(o.Items("spec", "template", "spec", "containers").Select(c => c.Text("image") ?? "")), wide: true),
        Of("Selector", o => Join(o.Pairs("spec", "selector", "matchLabels").Select(p => $"{p.Key}={p.Value}")), wide: true),
    ];

    private static TableDefinition EndpointSlices(TableColumn name, TableColumn age) => new(
    [
        name,
        Of("AddressType", o => o.Text("addressType")),
        Of("Ports", o => Short(o.Items("ports").Select(p => p.Number("port")?.ToString(CultureInfo.InvariantCulture) ?? "*"))),
        Of("Endpoints", o => Short(o.Items("endpoints").SelectMany(e => e.Texts("addresses")))),
        age,
    ]);

    private static TableDefinition Events(TimeProvider time) => new(
    [
        Of("Last Seen", o => TableDefinition.Age(
            o.Text("lastTimestamp") ?? o.Text("eventTime") ?? o.Text("metadata", "creationTimestamp"), time.GetUtcNow())),
        Of("Type", o => o.Text("type")),
        Of("Reason", o => o.Text("reason")),
        Of("Object", o => $"{o.Text("involvedObject", "kind")?.ToLowerInvariant()}/{o.Text("involvedObject", "name")}"),
        Of("Message", o => o.Text("message")?.Trim()),
    ]);

    private static string Join(IEnumerable<string> items) => string.Join(',', items) is { Length: > 0 } text ? text : "<none>";

    // The real server names three and counts the rest.
    private static string Short(IEnumerable<string> items)
    {
        var all = items.ToList();
        return all.Count switch
        {
            0 => "<unset>",
            <= 3 => string.Join(',', all),
            _ => $"{string.Join(',', all.Take(3))} + {all.Count - 3} more...",
        };
    }
}
