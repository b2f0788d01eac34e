using Ebpf.Cni.Abi;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>The endpoints of this node and their addresses. Every change is on disk before the call returns. Thread-safe.</summary>
public interface IEndpointStore
{
    IReadOnlyCollection<EndpointRecord> All { get; }

    EndpointRecord? Find(EndpointKey key);

    /// <summary>The node has podCIDRs: addresses can be given out.</summary>
    bool HasRanges { get; }

    /// <summary>Waits until the node's podCIDRs are known.</summary>
    /// <exception cref="CniException">Code 11: they are not known in time.</exception>
    Task WaitForRangesAsync(TimeSpan limit, CancellationToken cancel);

    /// <summary>
    /// A new record with an address of each family that the node has: one of <paramref name="asked"/>, at rest or not, or the next free
    /// one.
    /// </summary>
    /// <exception cref="CniException">
    /// Code 102: no free address. Code 103: one that was asked for cannot be had. Code 101: the disk. Nothing is reserved then.
    /// </exception>
    EndpointRecord Reserve(EndpointKey key, string netns, string pod, IReadOnlyList<Addr> asked);

    /// <summary>A new record for an interface that another plugin made, with the addresses that it gave: none of ours.</summary>
    /// <param name="record">Without a number, which it gets here.</param>
    /// <exception cref="CniException">Code 101: the disk. Nothing is kept then.</exception>
    EndpointRecord AddChained(EndpointRecord record);

    /// <summary>Replaces the record of the same key; its addresses and number stay.</summary>
    void Save(EndpointRecord record);

    /// <summary>Removes the record; its addresses rest. Nothing happens where it is gone.</summary>
    void Release(EndpointRecord record);
}
