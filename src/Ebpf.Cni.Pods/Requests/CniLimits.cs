namespace Ebpf.Cni.Pods.Requests;

/// <summary>Bounds on CNI requests.</summary>
/// <param name="Parallel">Most requests worked on at once.</param>
/// <param name="RangesLimit">How long an ADD waits for the node's podCIDRs.</param>
/// <param name="HostPortsLimit">How long an ADD with port mappings waits until they lead to the pod.</param>
public sealed record CniLimits(int Parallel, TimeSpan RangesLimit, TimeSpan HostPortsLimit)
{
    /// <summary>Behind another plugin: its interfaces and addresses, our services.</summary>
    public bool Chained { get; init; }

    /// <summary>
    /// Whether what is in the kernel is up to date with the cluster. If it is not, pods may be without services, those that run as well as
    /// new ones.
    /// </summary>
    public Func<bool> Current { get; init; } = () => true;
}
