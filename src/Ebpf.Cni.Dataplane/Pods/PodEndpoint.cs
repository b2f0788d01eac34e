using System.Collections.Immutable;
using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Dataplane.Pods;

/// <summary>A pod's interface on this node, as the programs know it.</summary>
/// <param name="Id">Unique on this node; 0 is reserved.</param>
/// <param name="Ifindex">The host's side of its veth, in the node's network namespace.</param>
/// <param name="PodMac">The pod's side.</param>
/// <param name="HostMac">The host's side: the pod's gateway.</param>
/// <param name="Addresses">What it may send from: one, or one of each family.</param>
/// <param name="NetnsCookie">
/// Of its network namespace (<see cref="Kernel.Namespaces.NetworkNamespace.Cookie"/>); 0: unknown, and then session affinity does not
/// recognize the pod at its sockets.
/// </param>
public sealed record PodEndpoint(uint Id, int Ifindex, MacAddr PodMac, MacAddr HostMac, ImmutableArray<Addr> Addresses,
    ulong NetnsCookie = 0)
{
    /// <summary>What goes to the pod is limited in rate: it is delivered through the queue of the veth's host side, not past it.</summary>
    public bool Queued { get; init; }

    internal Netns ToNetns() => new(Addresses.FirstOrDefault(a => a.IsIPv4), Addresses.FirstOrDefault(a => !a.IsIPv4));

    internal Ep ToEntry() => new((uint)Ifindex, Id, PodMac, HostMac, Queued ? EpFlags.Queued : EpFlags.None);
}
