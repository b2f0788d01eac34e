using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Compiler.Ipam;

/// <summary>How <see cref="AddressPool.Allocate"/> ended.</summary>
public enum AllocationStatus
{
    Allocated,

    /// <summary>The pool has no range yet: the node has no podCIDR of this family.</summary>
    NoRange,

    /// <summary>Every address is in use or at rest.</summary>
    Exhausted,
}

/// <summary>The answer of <see cref="AddressPool.Allocate"/>.</summary>
/// <param name="Status">Whether there is an address.</param>
/// <param name="Address">The address when <see cref="AllocationStatus.Allocated"/>.</param>
/// <param name="FreeAt">When exhausted: the moment the first resting address may be used again; null if all are in use.</param>
public readonly record struct Allocation(AllocationStatus Status, Addr Address, DateTimeOffset? FreeAt);

/// <summary>How <see cref="AddressPool.Reserve"/> ended.</summary>
public enum ReserveStatus
{
    Reserved,

    /// <summary>It is in use already.</summary>
    InUse,

    /// <summary>Released a moment ago.</summary>
    Resting,

    /// <summary>In no range of the pool.</summary>
    OutOfRange,

    /// <summary>Network, node or broadcast address of its range.</summary>
    Forbidden,
}

/// <summary>How <see cref="AddressPool.AddRange"/> ended.</summary>
public enum AddRangeStatus
{
    Added,

    /// <summary>The very same range is there.</summary>
    AlreadyThere,

    /// <summary>It shares addresses with another range of the pool.</summary>
    Overlaps,

    /// <summary>The pool is for the other family.</summary>
    WrongFamily,
}

/// <summary>An address that was released and rests.</summary>
public readonly record struct RestingAddress(Addr Address, DateTimeOffset Until);
