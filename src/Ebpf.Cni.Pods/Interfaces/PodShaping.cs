using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Pods.Endpoints;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// The capability bandwidth: a token bucket where each direction is sent, which for what goes to the pod is the host side's queue, and for
/// what comes from it the pod side's own. Delivery to such a pod goes through the host side's queue instead of past it.
/// </summary>
internal static class PodShaping
{
    /// <summary>Of our qdiscs: others are not changed.</summary>
    public const uint Handle = 0x0ecc_0000;

    /// <summary>How long a packet may wait for its turn; the bandwidth plugin's figure.</summary>
    private const double LatencySeconds = 0.025;

    private const int EthernetHeader = 14;

    /// <summary>To the pod: on the host side.</summary>
    public static TbfLimits? Ingress(EndpointRecord endpoint) =>
        endpoint.Bandwidth is { IngressRate: > 0 } b ? Bucket(b.IngressRate, b.IngressBurst, endpoint.Mtu) : null;

    /// <summary>From the pod: on the pod's side.</summary>
    public static TbfLimits? Egress(EndpointRecord endpoint) =>
        endpoint.Bandwidth is { EgressRate: > 0 } b ? Bucket(b.EgressRate, b.EgressBurst, endpoint.Mtu) : null;

    /// <summary>Converges: the bucket, or none of ours.</summary>
    public static void Apply(RouteNetlink netlink, int ifindex, TbfLimits? bucket)
    {
        if (bucket is not null)
            netlink.ReplaceTokenBucket(ifindex, Handle, bucket);
        else if (netlink.Queues(ifindex).Any(IsOurs))
            netlink.DeleteRootQdisc(ifindex, Handle);
    }

    /// <summary>A sentence when the interface is limited otherwise than it should be.</summary>
    public static IEnumerable<string> Differences(RouteNetlink netlink, int ifindex, string where, TbfLimits? bucket)
    {
        var found = netlink.Queues(ifindex).FirstOrDefault(IsOurs)?.Rate ?? 0;
        if (found != (bucket?.Rate ?? 0))
            yield return $"{where} is limited to {found} byte/s, not {bucket?.Rate ?? 0} (0: no limit)";
    }

    private static bool IsOurs(QdiscInfo queue) => queue is { Handle: Handle, Parent: QdiscInfo.Root };

    /// <summary>Bits to bytes; a burst that could never let a whole packet go is raised to one.</summary>
    private static TbfLimits Bucket(ulong rateBits, ulong burstBits, int mtu)
    {
        var rate = rateBits / 8;
        var burst = (uint)Math.Clamp(burstBits / 8, (ulong)(mtu + EthernetHeader), uint.MaxValue);
        return new TbfLimits(rate, burst, (uint)Math.Min((rate * LatencySeconds) + burst, uint.MaxValue));
    }
}
