using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>The Service and the EndpointSlices that make a case: written by hand, as no controller would on demand.</summary>
internal static class ServiceObjects
{
    private static readonly (string Name, Transport Transport)[] Transports =
        [("tcp", Transport.Tcp), ("udp", Transport.Udp), ("sctp", Transport.Sctp)];

    public static JsonObject Service(ServicePlace place)
    {
        var spec = new JsonObject
        {
            ["type"] = "LoadBalancer",
            ["ipFamilyPolicy"] = "SingleStack",
            ["ipFamilies"] = new JsonArray(FamilyName(place.Case.Family)),
            ["clusterIP"] = place.ClusterIp.ToString(),
            ["clusterIPs"] = new JsonArray(place.ClusterIp.ToString()),
            ["externalIPs"] = new JsonArray(place.ExternalIp.ToString()),
            ["internalTrafficPolicy"] = place.Case.Internal.ToString(),
            ["externalTrafficPolicy"] = place.Case.External.ToString(),
            ["ports"] = new JsonArray([.. Transports.Select(t => (JsonNode)new JsonObject
            {
                ["name"] = t.Name,
                ["protocol"] = Protocol(t.Transport),
                ["port"] = ServicePlace.Port,
                ["targetPort"] = t.Name,
                ["nodePort"] = place.NodePort(t.Transport),
            })]),
        };
        if (place.Case.External == Policy.Local)
            spec["healthCheckNodePort"] = place.HealthPort;
        if (Ranges(place.Case) is { } ranges)
            spec["loadBalancerSourceRanges"] = ranges;
        var labels = new JsonObject();
        if (place.Case.OtherProxy)
            labels["service.kubernetes.io/service-proxy-name"] = "another";
        return new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Service",
            ["metadata"] = new JsonObject { ["name"] = place.Name, ["namespace"] = "default", ["labels"] = labels },
            ["spec"] = spec,
            ["status"] = new JsonObject
            {
                ["loadBalancer"] = new JsonObject
                    { ["ingress"] = new JsonArray(new JsonObject { ["ip"] = place.LoadBalancerIp.ToString() }) },
            },
        };
    }

    public static IEnumerable<JsonObject> Slices(ServicePlace place, AddressBook addresses) =>
        from site in Enum.GetValues<Site>()
        let here = place.Case.Endpoints.All.Where(e => e.Backend.Site() == site).ToList()
        where here.Count > 0
        select new JsonObject
        {
            ["apiVersion"] = "discovery.k8s.io/v1",
            ["kind"] = "EndpointSlice",
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{place.Name}-{Zone(site.ToString())}",
                ["namespace"] = "default",
                ["labels"] = new JsonObject
                {
                    ["kubernetes.io/service-name"] = place.Name,
                    ["endpointslice.kubernetes.io/managed-by"] = "differential-tests",
                },
            },
            ["addressType"] = FamilyName(place.Case.Family),
            ["endpoints"] = new JsonArray([.. here.Select(e => (JsonNode)Endpoint(e, addresses[e.Backend, place.Case.Family].ToString()))]),
            ["ports"] = new JsonArray([.. Transports.Select(t => (JsonNode)new JsonObject
            {
                ["name"] = t.Name,
                ["protocol"] = Protocol(t.Transport),
                ["port"] = site == Site.A ? ServicePlace.TargetPortOnA : ServicePlace.TargetPortOnB,
            })]),
        };

    public static string NodeName(Site site) => NodeName(site.ToString());

    private static JsonObject Endpoint(EndpointEntry entry, string address)
    {
        var conditions = new JsonObject();
        Set(conditions, "ready", entry.State.ReadyCondition);
        Set(conditions, "serving", entry.State.ServingCondition);
        Set(conditions, "terminating", entry.State.TerminatingCondition);
        var endpoint = new JsonObject
        {
            ["addresses"] = new JsonArray(address),
            ["conditions"] = conditions,
            ["nodeName"] = NodeName(entry.Backend.Site()),
            ["zone"] = Zone(entry.Backend.Site().ToString()),
        };
        var hints = new JsonObject();
        if (entry.Zones.Length > 0)
            hints["forZones"] = new JsonArray([.. entry.Zones.Select(z => (JsonNode)new JsonObject { ["name"] = Zone($"{z}") })]);
        if (entry.Nodes.Length > 0)
            hints["forNodes"] = new JsonArray([.. entry.Nodes.Select(n => (JsonNode)new JsonObject { ["name"] = NodeName($"{n}") })]);
        if (hints.Count > 0)
            endpoint["hints"] = hints;
        return endpoint;
    }

    private static JsonArray? Ranges(ServiceCase service) => (service.Ranges, service.Family) switch
    {
        (SourceRanges.Pods, Family.V4) => ["10.244.0.0/16"],
        (SourceRanges.Pods, Family.V6) => ["fd00:10:244::/48"],
        (SourceRanges.Nodes, Family.V4) => ["203.0.113.0/24", "172.30.0.0/24"],
        (SourceRanges.Nodes, Family.V6) => ["2001:db8:7::/48", "fd00:30::/64"],
        (SourceRanges.Outside, Family.V4) => ["198.51.100.0/24", "2001:db8:51::/64"],
        (SourceRanges.Outside, Family.V6) => ["198.51.100.0/24", "2001:db8:51::/64"],
        (SourceRanges.OtherFamily, Family.V4) => ["2001:db8:7::/48"],
        (SourceRanges.OtherFamily, Family.V6) => ["203.0.113.0/24"],
        _ => null,
    };

    private static void Set(JsonObject conditions, string name, bool? value)
    {
        if (value is { } known)
            conditions[name] = known;
    }

    private static string NodeName(string letter) => "node-" + letter.ToLowerInvariant();

    private static string Zone(string letter) => "zone-" + letter.ToLowerInvariant();

    private static string FamilyName(Family family) => family == Family.V4 ? "IPv4" : "IPv6";

    private static string Protocol(Transport transport) =>
        transport switch { Transport.Tcp => "TCP", Transport.Sctp => "SCTP", _ => "UDP" };
}
