using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Decoding;

/// <summary>The kinds the agent watches, and how each becomes what the compiler reads. Conversions are total: judging values is the compiler's work.</summary>
internal static class Kinds
{
    public static readonly ResourceKind<ServiceSnapshot> Services =
        new ResourceKind<ServiceWire, ServiceSnapshot>("Service", "api/v1/services", WireJson.Default.ServiceWire, Service);

    public static readonly ResourceKind<EndpointSliceSnapshot> EndpointSlices = new ResourceKind<EndpointSliceWire, EndpointSliceSnapshot>(
        "EndpointSlice", "apis/discovery.k8s.io/v1/endpointslices", WireJson.Default.EndpointSliceWire, Slice);

    public static readonly ResourceKind<NodeSnapshot> Nodes =
        new ResourceKind<NodeWire, NodeSnapshot>("Node", "api/v1/nodes", WireJson.Default.NodeWire, Node);

    private static ServiceSnapshot Service(ServiceWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name,
        Uid = meta.Uid ?? "",
        Type = wire.Spec?.Type ?? "ClusterIP",
        ClusterIPs = OneOrMany(wire.Spec?.ClusterIPs, wire.Spec?.ClusterIP),
        Ports = Present(wire.Spec?.Ports, static p => new ServicePortSnapshot(p.Name ?? "", p.Protocol ?? "TCP", p.Port)),
        ProxyName = meta.Labels?.ProxyName,
        HeadlessLabel = meta.Labels?.Headless ?? false,
    };

    private static EndpointSliceSnapshot Slice(EndpointSliceWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name,
        Uid = meta.Uid ?? "",
        ServiceName = meta.Labels?.ServiceName,
        AddressType = wire.AddressType ?? "",
        Ports = Present(wire.Ports, static p => new EndpointPortSnapshot(p.Name ?? "", p.Protocol ?? "TCP", p.Port)),
        Endpoints = Present(wire.Endpoints, Endpoint),
    };

    private static EndpointSnapshot Endpoint(EndpointWire wire)
    {
        // discovery.k8s.io/v1 EndpointConditions, and kube-proxy (pkg/proxy/endpointslicecache.go): unknown ready and serving are true, unknown terminating is false.
        return new EndpointSnapshot(
            Present(wire.Addresses, static a => a),
            wire.Conditions?.Ready ?? true,
            wire.Conditions?.Serving ?? true,
            wire.Conditions?.Terminating ?? false,
            wire.NodeName);
    }

    private static NodeSnapshot Node(NodeWire wire, MetaWire meta, ObjectName name) => new()
    {
        Name = name.Name,
        Uid = meta.Uid ?? "",
        PodCidrs = OneOrMany(wire.Spec?.PodCIDRs, wire.Spec?.PodCIDR),
        InternalIPs = Present(
            Array.FindAll(wire.Status?.Addresses ?? [], static a => a is { Type: "InternalIP", Address: not null }), static a => a.Address!),
    };

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
