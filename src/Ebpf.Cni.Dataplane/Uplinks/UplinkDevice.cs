using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Failures;

namespace Ebpf.Cni.Dataplane.Uplinks;

/// <summary>A device over which the node is reached and pods leave it.</summary>
/// <param name="Ifindex">In the node's network namespace.</param>
/// <param name="Name">For messages.</param>
/// <param name="V4">The address that masquerading uses on it; null: none of this family.</param>
/// <param name="V6">The same for IPv6.</param>
public sealed record UplinkDevice(int Ifindex, string Name, Addr? V4, Addr? V6);

/// <summary>What an apply of devices did. A device that failed is tried again by the next one.</summary>
/// <param name="Attached">Devices that have the programs now and had not before, or had others.</param>
/// <param name="Detached">Interface indexes that lost them.</param>
/// <param name="Errors">One for each device that failed, with its name.</param>
public sealed record UplinkReport(ImmutableArray<string> Attached, ImmutableArray<int> Detached, ImmutableArray<ApplyError> Errors)
{
    public bool Complete => Errors.IsEmpty;
}
