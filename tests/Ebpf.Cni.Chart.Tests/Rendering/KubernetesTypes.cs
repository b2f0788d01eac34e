using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Ebpf.Cni.Chart.Tests.Rendering;

/// <summary>Kubernetes' published types, by the client library's models, read strictly: a field that does not exist is an error.</summary>
internal static class KubernetesTypes
{
    private static readonly Dictionary<string, Type> Types = new()
    {
        ["apps/v1 DaemonSet"] = typeof(V1DaemonSet),
        ["v1 ConfigMap"] = typeof(V1ConfigMap),
        ["v1 Pod"] = typeof(V1Pod),
        ["v1 ServiceAccount"] = typeof(V1ServiceAccount),
        ["rbac.authorization.k8s.io/v1 ClusterRole"] = typeof(V1ClusterRole),
        ["rbac.authorization.k8s.io/v1 ClusterRoleBinding"] = typeof(V1ClusterRoleBinding),
        ["monitoring.coreos.com/v1 PodMonitor"] = typeof(PodMonitor),
    };

    private static readonly JsonSerializerOptions Strict = new()
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        PropertyNameCaseInsensitive = false,
        NumberHandling = JsonNumberHandling.Strict,
        AllowDuplicateProperties = false,
    };

    /// <exception cref="JsonException">The chart is not meant to have such an object.</exception>
    public static Type Of(JsonNode value) =>
        Types.TryGetValue($"{(string?)value["apiVersion"]} {(string?)value["kind"]}", out var type)
            ? type
            : throw new JsonException($"{value["apiVersion"]} {value["kind"]} is not a kind that is known here");

    /// <exception cref="JsonException">A field is unknown, or has another type.</exception>
    public static object Decode(JsonNode value) => value.Deserialize(Of(value), Strict)!;
}

/// <summary>The part of the Prometheus operator's type (monitoring.coreos.com/v1) that is used.</summary>
internal sealed record PodMonitor(
    [property: JsonPropertyName("apiVersion")] string ApiVersion,
    [property: JsonPropertyName("kind")] string Kind,
    [property: JsonPropertyName("metadata")] V1ObjectMeta Metadata,
    [property: JsonPropertyName("spec")] PodMonitorSpec Spec);

internal sealed record PodMonitorSpec(
    [property: JsonPropertyName("selector")] V1LabelSelector Selector,
    [property: JsonPropertyName("podMetricsEndpoints")] IReadOnlyList<PodMetricsEndpoint> Endpoints);

internal sealed record PodMetricsEndpoint(
    [property: JsonPropertyName("port")] string Port,
    [property: JsonPropertyName("path")] string Path,
    [property: JsonPropertyName("interval")] string? Interval,
    [property: JsonPropertyName("scrapeTimeout")] string? ScrapeTimeout,
    [property: JsonPropertyName("relabelings")] IReadOnlyList<Relabeling> Relabelings);

internal sealed record Relabeling(
    [property: JsonPropertyName("sourceLabels")] IReadOnlyList<string> SourceLabels,
    [property: JsonPropertyName("targetLabel")] string TargetLabel);
