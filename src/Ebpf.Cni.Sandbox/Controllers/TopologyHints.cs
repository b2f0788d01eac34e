using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>Which zones and nodes an endpoint is meant for: by trafficDistribution, else by the topology-mode annotation.</summary>
internal static class TopologyHints
{
    private const string ModeAnnotation = "service.kubernetes.io/topology-mode";

    // a zone may get this much less than its share of endpoints before hints do more harm than good
    private const double Overload = 0.2;

    /// <summary>Sets the hints of the endpoints in place; only ready endpoints get any.</summary>
    public static void Set(JsonObject service, IReadOnlyList<JsonObject> endpoints, IReadOnlyList<JsonObject> nodes)
    {
        var ready = endpoints.Where(e => e.Flag("conditions", "ready") == true).ToList();
        switch (service.Text("spec", "trafficDistribution"))
        {
            case "PreferClose" or "PreferSameZone":
                ready.ForEach(ForOwnZone);
                break;
            case "PreferSameNode":
                ready.ForEach(ForOwnZone);
                foreach (var endpoint in ready.Where(e => e.Text("nodeName") is not null))
                    endpoint.Child("hints")["forNodes"] = new JsonArray(new JsonObject { ["name"] = endpoint.Text("nodeName") });
                break;
            default:
                if (service.Text("metadata", "annotations", ModeAnnotation) is "Auto" or "auto" && IsEven(ready, nodes))
                    ready.ForEach(ForOwnZone);
                break;
        }
    }

    private static void ForOwnZone(JsonObject endpoint)
    {
        if (endpoint.Text("zone") is { } zone)
            endpoint.Child("hints")["forZones"] = new JsonArray(new JsonObject { ["name"] = zone });
    }

    // Every zone has about the share of endpoints that it has of nodes. The real controller also lends endpoints to other zones.
    private static bool IsEven(List<JsonObject> ready, IReadOnlyList<JsonObject> nodes)
    {
        var zones = nodes.Where(n => n.Condition("Ready") == "True").Select(ZoneOf).ToList();
        if (zones.Count == 0 || zones.Contains(null) || zones.Distinct().Count() < 2 || ready.Exists(e => e.Text("zone") is null))
            return false;
        return zones.GroupBy(zone => zone).All(zone =>
        {
            var share = (double)zone.Count() / zones.Count * ready.Count;
            var own = ready.Count(e => e.Text("zone") == zone.Key);
            return own > 0 && (share / own) - 1 <= Overload;
        });
    }

    public static string? ZoneOf(JsonNode? node) => node.Text("metadata", "labels", "topology.kubernetes.io/zone");
}
