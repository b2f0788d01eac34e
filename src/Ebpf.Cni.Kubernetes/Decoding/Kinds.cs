using System.Collections.Immutable;
using System.Globalization;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>
/// The kinds the agent watches, and how each becomes what the compiler reads. Conversions are total: judging values is the compiler's work.
/// </summary>
internal static class Kinds
{
    /// <summary>
    /// Services of another proxy and headless ones, and the slices of both, never leave the API
    /// server: kube-proxy's own selector (cmd/kube-proxy/app/server.go). Gaining such a label
    /// is a deletion to a watch with this selector, losing it an addition, which is right.
    /// </summary>
    private const string Proxied = "!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name";

    public static readonly ResourceKind<ServiceSnapshot> Services =
        new ResourceKind<ServiceWire, ServiceSnapshot>("Service", "api/v1/services", Proxied, WireJson.Default.ServiceWire, Service);

    public static readonly ResourceKind<EndpointSliceSnapshot> EndpointSlices = new ResourceKind<EndpointSliceWire, EndpointSliceSnapshot>(
        "EndpointSlice", "apis/discovery.k8s.io/v1/endpointslices", Proxied, WireJson.Default.EndpointSliceWire, Slice);

    public static readonly ResourceKind<NodeSnapshot> Nodes =
        new ResourceKind<NodeWire, NodeSnapshot>("Node", "api/v1/nodes", null, WireJson.Default.NodeWire, Node);

    private static ServiceSnapshot Service(ServiceWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name,
        Uid = meta.Uid ?? "",
        Type = wire.Spec?.Type ?? "ClusterIP",
        ClusterIPs = OneOrMany(wire.Spec?.ClusterIPs, wire.Spec?.ClusterIP),
        Ports = Present(wire.Spec?.Ports, static p => new ServicePortSnapshot(p.Name ?? "", p.Protocol ?? "TCP", p.Port, p.NodePort ?? 0)),
        ExternalIPs = Present(wire.Spec?.ExternalIPs, static a => a),
        LoadBalancerIPs = Present(Array.FindAll(wire.Status?.LoadBalancer?.Ingress ?? [], IsOurs), static i => i!.Ip!),
        LoadBalancerSourceRanges = SourceRanges(wire.Spec?.LoadBalancerSourceRanges, meta.Annotations?.SourceRanges),
        InternalLocal = wire.Spec?.InternalTrafficPolicy == "Local",
        ExternalLocal = wire.Spec?.ExternalTrafficPolicy == "Local",
        HealthCheckNodePort = wire.Spec?.HealthCheckNodePort ?? 0,
        AffinitySeconds = wire.Spec?.SessionAffinity == "ClientIP" ? AffinitySeconds(wire.Spec.SessionAffinityConfig) : 0,
        UnknownPolicy = UnknownPolicy(wire.Spec),
        ProxyName = meta.Labels?.ProxyName,
        HeadlessLabel = meta.Labels?.Headless ?? false,
    };

    private static EndpointSliceSnapshot Slice(EndpointSliceWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name,
        Uid = meta.Uid ?? "",
        ServiceName = meta.Labels?.ServiceName,
        ProxyName = meta.Labels?.ProxyName,
        HeadlessLabel = meta.Labels?.Headless ?? false,
        LastChangeTriggerTime = Time(meta.Annotations?.LastChangeTriggerTime),
        AddressType = wire.AddressType ?? "",
        Ports = Present(wire.Ports, static p => new EndpointPortSnapshot(p.Name ?? "", p.Protocol ?? "TCP", p.Port)),
        Endpoints = Present(wire.Endpoints, Endpoint),
    };

    private static EndpointSnapshot Endpoint(EndpointWire wire)
    {
        // discovery.k8s.io/v1 EndpointConditions, and kube-proxy (pkg/proxy/endpointslicecache.go): unknown ready and serving are true,
        // unknown terminating is false.
        return new EndpointSnapshot(
            Present(wire.Addresses, static a => a),
            wire.Conditions?.Ready ?? true,
            wire.Conditions?.Serving ?? true,
            wire.Conditions?.Terminating ?? false,
            wire.NodeName)
        {
            HintNodes = Present(wire.Hints?.ForNodes, static h => h.Name ?? ""),
            HintZones = Present(wire.Hints?.ForZones, static h => h.Name ?? ""),
        };
    }

    private static NodeSnapshot Node(NodeWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name.Name,
        Uid = meta.Uid ?? "",
        PodCidrs = OneOrMany(wire.Spec?.PodCIDRs, wire.Spec?.PodCIDR),
        InternalIPs = Addresses(wire, "InternalIP"),
        ExternalIPs = Addresses(wire, "ExternalIP"),
        Zone = meta.Labels?.Zone ?? "",
        // KEP-3836: what load balancers must stop using although its pods still run.
        BeingDeleted = meta.DeletionTimestamp is not null
            || Array.Exists(wire.Spec?.Taints ?? [], static t => t?.Key == "ToBeDeletedByClusterAutoscaler"),
    };

    private static ImmutableArray<string> Addresses(NodeWire wire, string type) => Present(
        Array.FindAll(wire.Status?.Addresses ?? [], a => a?.Type == type && a.Address is not null), static a => a.Address!);

    /// <summary>
    /// KEP-1860: an address is ours to serve unless the balancer says that it delivers by itself; a mode that is not known is not ours, as
    /// for kube-proxy (IsVIPMode). A hostname is no address.
    /// </summary>
    private static bool IsOurs(IngressWire? ingress) => ingress is { Ip: not (null or ""), IpMode: null or "VIP" };

    /// <summary>The field wins over the annotation, as in the API's own reading of both (k8s.io/cloud-provider/service/helpers).</summary>
    private static ImmutableArray<string> SourceRanges(string?[]? field, string? annotation) =>
        field is { Length: > 0 } || string.IsNullOrWhiteSpace(annotation)
            ? Present(field, static r => r) : [.. annotation.Split(',', StringSplitOptions.TrimEntries)];

    /// <summary>The API server fills the default in; 0, which it refuses, must not read as "none".</summary>
    private static int AffinitySeconds(SessionAffinityConfigWire? config) => config?.ClientIP?.TimeoutSeconds switch
    {
        null => 10800,
        0 => -1,
        { } seconds => seconds,
    };

    private static string? UnknownPolicy(ServiceSpecWire? spec)
    {
        if (spec?.InternalTrafficPolicy is not (null or "" or "Cluster" or "Local"))
            return "internalTrafficPolicy " + spec.InternalTrafficPolicy;
        if (spec?.ExternalTrafficPolicy is not (null or "" or "Cluster" or "Local"))
            return "externalTrafficPolicy " + spec.ExternalTrafficPolicy;
        return spec?.SessionAffinity is null or "" or "None" or "ClientIP" ? null : "sessionAffinity " + spec.SessionAffinity;
    }

    private static DateTimeOffset? Time(string? text) =>
        DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    /// <summary>The plural field, else the singular one it replaced.</summary>
    private static ImmutableArray<string> OneOrMany(string?[]? many, string? one) => many is { Length: > 0 }
        ? Present(many, static s => s)
        : string.IsNullOrEmpty(one) ? [] : [one];

    private static ImmutableArray<TOut> Present<TIn, TOut>(TIn?[]? items, Func<TIn, TOut> convert)
        where TIn : class
    {
        if (items is null || items.Length == 0)
            return [];
        var result = ImmutableArray.CreateBuilder<TOut>(items.Length);
        foreach (var item in items)
            if (item is not null)
                result.Add(convert(item));
        return result.DrainToImmutable();
    }
}
