using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Routes;

namespace Ebpf.Cni.Compiler.Model;

/// <summary>How pods of other nodes are reached.</summary>
public enum RoutingMode
{
    /// <summary>As <see cref="Direct"/> where that is possible, else as <see cref="Tunnel"/>.</summary>
    Auto = 0,

    /// <summary>Every peer through the tunnel.</summary>
    Tunnel = 1,

    /// <summary>
    /// By routes through the peers themselves, which must be on a layer-2 network shared with this node. Who is not is an issue.
    /// </summary>
    Direct = 2,

    /// <summary>Another component routes: no routes, and no issues about peers.</summary>
    None = 3,
}

/// <summary>The family of the addresses between which tunnelled packets travel.</summary>
public enum TunnelUnderlay
{
    /// <summary>For each pair of nodes: see <see cref="PeerRoute"/>.</summary>
    Auto = 0,
    IPv4 = 1,
    IPv6 = 2,
}

/// <summary>What of this node decides how its peers are reached.</summary>
public sealed record RoutingContext
{
    public RoutingMode Mode { get; init; }

    public TunnelUnderlay Underlay { get; init; }

    /// <summary>UDP port of the tunnel; 0: unknown. No endpoint outside the cluster's pods may have it.</summary>
    public ushort TunnelPort { get; init; }

    /// <summary>
    /// Networks whose addresses this node reaches without a router, sorted: those of its addresses on uplinks that have a layer 2. An
    /// address with a full prefix (clouds do that) has no such network.
    /// </summary>
    public ImmutableArray<IPNetwork> OnLink { get; init; } = [];

    /// <summary>This node's own, in the API's order. Empty: those of its Node object count.</summary>
    public ImmutableArray<Addr> InternalIPs { get; init; } = [];

    public bool Equals(RoutingContext? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Mode == other.Mode && Underlay == other.Underlay && TunnelPort == other.TunnelPort
            && OnLink.AsSpan().SequenceEqual(other.OnLink.AsSpan())
            && InternalIPs.AsSpan().SequenceEqual(other.InternalIPs.AsSpan()));

    public override int GetHashCode() => HashCode.Combine(Mode, Underlay, OnLink.AsSpan().Length, InternalIPs.AsSpan().Length);
}
