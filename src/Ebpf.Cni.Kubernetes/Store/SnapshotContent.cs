using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Kubernetes.Store;

/// <summary>
/// Whether two versions of an object say the same to the compiler. Most versions of a Node (heartbeats) and many of a Service (annotations,
/// status) do: they keep the old instance and trigger nothing. Fields unknown here compare as records do, which errs towards "changed".
/// </summary>
internal static class SnapshotContent
{
    public static bool Same(ServiceSnapshot a, ServiceSnapshot b) =>
        Same(a.ClusterIPs, b.ClusterIPs)
        && Same(a.Ports, b.Ports)
        && Same(a.ExternalIPs, b.ExternalIPs)
        && Same(a.LoadBalancerIPs, b.LoadBalancerIPs)
        && Same(a.LoadBalancerSourceRanges, b.LoadBalancerSourceRanges)
        && a with
        {
            ClusterIPs = b.ClusterIPs,
            Ports = b.Ports,
            ExternalIPs = b.ExternalIPs,
            LoadBalancerIPs = b.LoadBalancerIPs,
            LoadBalancerSourceRanges = b.LoadBalancerSourceRanges,
        } == b;

    public static bool Same(EndpointSliceSnapshot a, EndpointSliceSnapshot b)
    {
        if (a.Endpoints.Length != b.Endpoints.Length || !Same(a.Ports, b.Ports))
            return false;
        for (var i = 0; i < a.Endpoints.Length; i++)
            if (!Same(a.Endpoints[i], b.Endpoints[i]))
                return false;
        return a with { Endpoints = b.Endpoints, Ports = b.Ports } == b;
    }

    public static bool Same(NodeSnapshot a, NodeSnapshot b) =>
        Same(a.PodCidrs, b.PodCidrs)
        && Same(a.InternalIPs, b.InternalIPs)
        && Same(a.ExternalIPs, b.ExternalIPs)
        && a with { PodCidrs = b.PodCidrs, InternalIPs = b.InternalIPs, ExternalIPs = b.ExternalIPs } == b;

    private static bool Same(EndpointSnapshot a, EndpointSnapshot b) =>
        Same(a.Addresses, b.Addresses)
        && Same(a.HintNodes, b.HintNodes)
        && Same(a.HintZones, b.HintZones)
        && a with { Addresses = b.Addresses, HintNodes = b.HintNodes, HintZones = b.HintZones } == b;

    private static bool Same<T>(ImmutableArray<T> a, ImmutableArray<T> b)
        where T : IEquatable<T> => a.AsSpan().SequenceEqual(b.AsSpan());
}
