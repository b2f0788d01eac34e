using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>The fields of a Service: their defaults, what each type of Service has of them, and what may be in them.</summary>
internal static class ServiceFields
{
    private static readonly string[] OfLoadBalancers = ["allocateLoadBalancerNodePorts", "loadBalancerClass"];

    public static void Default(JsonObject spec)
    {
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        if (spec.Text("sessionAffinity") == "ClientIP")
            spec.Child("sessionAffinityConfig").Child("clientIP").Default("timeoutSeconds", 10800);
        else
            spec.Remove("sessionAffinityConfig");
        if (spec.Text("type") is "ClusterIP" or "NodePort" or "LoadBalancer")
            spec.Default("internalTrafficPolicy", "Cluster");
        if (HasExternalPolicy(spec))
            spec.Default("externalTrafficPolicy", "Cluster");
        if (spec.Text("type") == "LoadBalancer")
            spec.Default("allocateLoadBalancerNodePorts", true);
        foreach (var port in spec.Items("ports"))
        {
            port.Default("protocol", "TCP");
            port.Default("targetPort", port["port"]?.DeepClone());
        }
    }

    /// <summary>What an update leaves out although the API gave it stays.</summary>
    public static void KeepAssigned(JsonObject before, JsonObject spec)
    {
        foreach (var field in (string[])["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"])
            if (spec.Text(field)?.Length == 0 || spec[field] is JsonArray { Count: 0 } or null)
                spec[field] = before[field]?.DeepClone();
        if (!HasNodePorts(before) || !HasNodePorts(spec))
            return;
        spec.Default("healthCheckNodePort", before["healthCheckNodePort"]?.DeepClone());
        var used = spec.Items("ports").Select(port => port.Number("nodePort")).ToHashSet();
        foreach (var port in spec.Items("ports").Where(port => port.Number("nodePort") is null or 0))
            if (before.Items("ports").FirstOrDefault(old => old.Text("name") == port.Text("name")).Number("nodePort") is { } number
                && used.Add(number))
                port["nodePort"] = number;
    }

    /// <summary>What only the previous type had goes with it, unless the update says something new about it.</summary>
    public static void DropUnused(JsonObject before, JsonObject spec)
    {
        if (IsExternalName(spec) && !IsExternalName(before))
            DropUnchanged(before, spec, "clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy");
        if (!IsExternalName(spec))
            spec.Remove("externalName");
        if (spec.Text("type") != "LoadBalancer")
            DropUnchanged(before, spec, OfLoadBalancers);
        if (!HasExternalPolicy(spec))
            DropUnchanged(before, spec, "externalTrafficPolicy");
        if (spec.Text("type") != "LoadBalancer" || spec.Text("externalTrafficPolicy") != "Local")
            DropUnchanged(before, spec, "healthCheckNodePort");
        if (HasNodePorts(before) && !HasNodePorts(spec) && NodePorts(before).SequenceEqual(NodePorts(spec)))
            foreach (var port in spec.Items("ports"))
                port.Remove("nodePort");
    }

    public static void Validate(JsonObject service, JsonObject spec)
    {
        Ports(service, spec);
        if (IsExternalName(spec) && spec.Text("externalName") is null or "")
            throw Invalid(service, "spec.externalName", "Required value");
        foreach (var address in spec.Texts("externalIPs"))
            if (!IPAddress.TryParse(address, out var parsed) || IPAddress.IsLoopback(parsed) || parsed.Equals(IPAddress.Any)
                || parsed.Equals(IPAddress.IPv6Any))
                throw Invalid(service, "spec.externalIPs", $"Invalid value: \"{address}\": may not be loopback, unspecified or no address");
        if (spec.Text("type") != "LoadBalancer" && spec.Texts("loadBalancerSourceRanges").Any())
            throw Invalid(service, "spec.LoadBalancerSourceRanges", "Forbidden: may only be used when `type` is 'LoadBalancer'");
        foreach (var range in spec.Texts("loadBalancerSourceRanges"))
            if (!IPNetwork.TryParse(range.Trim(), out _))
                throw Invalid(service, "spec.LoadBalancerSourceRanges", $"Invalid value: \"{range}\": must be a valid CIDR value");
        if (!HasExternalPolicy(spec) && spec.Text("externalTrafficPolicy") is not null)
            throw Invalid(service, "spec.externalTrafficPolicy", "Invalid value: may only be set for externally-accessible services");
        OneOf(service, spec, "internalTrafficPolicy", "Cluster", "Local");
        OneOf(service, spec, "externalTrafficPolicy", "Cluster", "Local");
        OneOf(service, spec, "sessionAffinity", "None", "ClientIP");
        OneOf(service, spec, "trafficDistribution", "PreferClose", "PreferSameZone", "PreferSameNode");
        OneOf(service, spec, "type", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName");
        if (spec.Number("sessionAffinityConfig", "clientIP", "timeoutSeconds") is <= 0 or > 86400)
            throw Invalid(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
                "Invalid value: must be greater than 0 and less than 86400");
        if (spec.Number("healthCheckNodePort") is not (null or 0) && !NodePortAllocator.NeedsHealthCheck(service))
            throw Invalid(service, "spec.healthCheckNodePort",
                "Invalid value: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'");
    }

    public static bool IsExternalName(JsonObject spec) => spec.Text("type") == "ExternalName";

    private static bool HasNodePorts(JsonObject spec) => spec.Text("type") is "NodePort" or "LoadBalancer";

    private static bool HasExternalPolicy(JsonObject spec) =>
        HasNodePorts(spec) || (!IsExternalName(spec) && spec.Texts("externalIPs").Any());

    private static IEnumerable<long?> NodePorts(JsonObject spec) => spec.Items("ports").Select(port => port.Number("nodePort"));

    private static void DropUnchanged(JsonObject before, JsonObject spec, params ReadOnlySpan<string> fields)
    {
        foreach (var field in fields)
            if (JsonNode.DeepEquals(before[field], spec[field]))
                spec.Remove(field);
    }

    private static void Ports(JsonObject service, JsonObject spec)
    {
        var ports = spec.Items("ports").ToList();
        if (ports.Count == 0 && !IsExternalName(spec) && spec.Text("clusterIP") != "None")
            throw Invalid(service, "spec.ports", "Required value");
        var seen = new HashSet<(long?, string?)>();
        var nodePorts = new HashSet<(long?, string?)>();
        var names = new HashSet<string?>();
        foreach (var port in ports)
        {
            if (port.Number("port") is not (>= 1 and <= 65535))
                throw Invalid(service, "spec.ports.port", "must be between 1 and 65535, inclusive");
            if (ports.Count > 1 && string.IsNullOrEmpty(port.Text("name")))
                throw Invalid(service, "spec.ports.name", "Required value");
            if (!seen.Add((port.Number("port"), port.Text("protocol"))) || !names.Add(port.Text("name")))
                throw Invalid(service, "spec.ports", "Duplicate value");
            if (port.Number("nodePort") is null or 0)
                continue;
            if (!HasNodePorts(spec))
                throw Invalid(service, "spec.ports.nodePort", "Forbidden: may not be used when `type` is 'ClusterIP'");
            if (!nodePorts.Add((port.Number("nodePort"), port.Text("protocol"))))
                throw Invalid(service, "spec.ports.nodePort", "Duplicate value");
        }
    }

    private static void OneOf(JsonObject service, JsonObject spec, string field, params ReadOnlySpan<string> values)
    {
        if (spec.Text(field) is { } value && !values.Contains(value))
            throw Invalid(service, "spec." + field, $"Unsupported value: \"{value}\"");
    }

    private static ApiException Invalid(JsonObject service, string field, string problem) =>
        ApiException.Invalid(ResourceTypes.Services, service.Name(), field, problem);
}
