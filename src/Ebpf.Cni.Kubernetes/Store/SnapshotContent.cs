using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Kubernetes.Store;

/// <summary>
/// Whether two versions of an object say the same to the compiler. Most versions of a Node (heartbeats) and many of a Service (annotations,
/// status) do: they keep the old instance and trigger nothing. Fields unknown here compare as records do, which errs towards "changed".
/// </summary>
internal static class SnapshotContent
{
    public static bool Same(ServiceSnapshot a, ServiceSnapshot b) =>
        a.ClusterIPs.AsSpan().SequenceEqual(b.ClusterIPs.AsSpan())
        && a.Ports.AsSpan().SequenceEqual(b.Ports.AsSpan())
        && a with { ClusterIPs = b.ClusterIPs, Ports = b.Ports } == b;

    public static bool Same(EndpointSliceSnapshot a, EndpointSliceSnapshot b)
    {
        if (a.Endpoints.Length != b.Endpoints.Length || !a.Ports.AsSpan().SequenceEqual(b.Ports.AsSpan()))
            return false;
        for (var i = 0; i < a.Endpoints.Length; i++)
            if (!Same(a.Endpoints[i], b.Endpoints[i]))
                return false;
        return a with { Endpoints = b.Endpoints, Ports = b.Ports } == b;
    }

    public static bool Same(NodeSnapshot a, NodeSnapshot b) =>
        a.PodCidrs.AsSpan().SequenceEqual(b.PodCidrs.AsSpan())
        && a.InternalIPs.AsSpan().SequenceEqual(b.InternalIPs.AsSpan())
        && a with { PodCidrs = b.PodCidrs, InternalIPs = b.InternalIPs } == b;

    private static bool Same(EndpointSnapshot a, EndpointSnapshot b) =>
        a.Addresses.AsSpan().SequenceEqual(b.Addresses.AsSpan()) && a with { Addresses = b.Addresses } == b;
}
