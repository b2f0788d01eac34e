using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Uplinks;

namespace Ebpf.Cni.Sync.Node;

/// <summary>How the node is reached. Equal by content, so that what did not change is not applied again.</summary>
/// <param name="V4">The address by which others know the node; null without one of the family.</param>
/// <param name="V6">The same for IPv6.</param>
public sealed record NodeNetwork(Addr? V4, Addr? V6)
{
    /// <summary>By interface index.</summary>
    public ImmutableArray<UplinkDevice> Uplinks { get; init; } = [];

    /// <summary>Indices of the uplinks by which the node itself is reached; the others lead to networks beside.</summary>
    public ImmutableArray<int> Main { get; init; } = [];

    /// <summary>Indices of the devices that carry InternalIPs, uplinks or not.</summary>
    public ImmutableArray<int> InternalDevices { get; init; } = [];

    /// <summary>Where NodePorts are served, sorted.</summary>
    public ImmutableArray<Addr> NodePortAddresses { get; init; } = [];

    /// <summary>All its own that others may know, sorted.</summary>
    public ImmutableArray<Addr> Addresses { get; init; } = [];

    /// <summary>Devices that should be uplinks and are none, by name.</summary>
    public ImmutableArray<UnfitUplink> Unfit { get; init; } = [];

    /// <summary>Why the uplinks are such: for the next look, not for comparing.</summary>
    public UplinkMemory Memory { get; init; } = UplinkMemory.None;

    public bool Equals(NodeNetwork? other) =>
        other is not null && V4 == other.V4 && V6 == other.V6 && Uplinks.SequenceEqual(other.Uplinks)
        && Main.SequenceEqual(other.Main) && InternalDevices.SequenceEqual(other.InternalDevices)
        && NodePortAddresses.SequenceEqual(other.NodePortAddresses) && Addresses.SequenceEqual(other.Addresses)
        && Unfit.SequenceEqual(other.Unfit);

    public override int GetHashCode() => HashCode.Combine(V4, V6, Uplinks.Length, NodePortAddresses.Length, Addresses.Length);
}
