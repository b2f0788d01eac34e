using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>What the kernel should hold, sorted; equal snapshots give equal states. The dataplane's only input.</summary>
public sealed record DesiredState
{
    public static readonly DesiredState Empty = new();

    /// <summary>Sorted by (service port, variant). Every frontend's segment is here once.</summary>
    public ImmutableArray<DesiredSegment> Segments { get; init; } = [];

    /// <summary>Sorted by key; keys are unique.</summary>
    public ImmutableArray<DesiredFrontend> Frontends { get; init; } = [];

    /// <summary>Who may use service ports whose frontends have <see cref="SvcFlags.SourceRanges"/>; sorted by service id, then prefix.</summary>
    public ImmutableArray<DesiredSourceRange> SourceRanges { get; init; } = [];

    /// <summary>What destinations are; sorted by prefix, each once.</summary>
    public ImmutableArray<DesiredPrefix> Prefixes { get; init; } = [];

    /// <summary>Health check node ports to listen on, sorted by service.</summary>
    public ImmutableArray<DesiredHealthCheck> HealthChecks { get; init; } = [];

    /// <summary>Routes to the pods of other nodes, sorted by destination.</summary>
    public ImmutableArray<DesiredRoute> Routes { get; init; } = [];

    /// <summary>Sorted by kind, name, reason; an object has at most one of a reason.</summary>
    public ImmutableArray<CompileIssue> Issues { get; init; } = [];

    /// <summary>The ids after this compile: the input of the next one.</summary>
    public IdTable Ids { get; init; } = IdTable.Empty;
}

/// <summary>Which list of a service port's endpoints a segment holds. Frontends with the same list share it.</summary>
public enum SegmentVariant : byte
{
    /// <summary>The Cluster policy's list of one family.</summary>
    ClusterIPv4 = 0,
    ClusterIPv6 = 1,

    /// <summary>The Local policy's: on this node only.</summary>
    LocalIPv4 = 2,
    LocalIPv6 = 3,

    /// <summary>Always empty: markers that are frontends only in form (a cluster IP's other ports, the bind hook's NodePorts, what is left to a server of the node).</summary>
    None = 4,
}

/// <summary>Names a segment; <paramref name="ServiceId"/> is never 0.</summary>
public readonly record struct SegmentKey(uint ServiceId, SegmentVariant Variant);

/// <summary>A backend as compiled: sorted by address, then port; no duplicates inside a run.</summary>
public readonly record struct DesiredBackend(Addr Addr, U16Be Port, BackendFlags Flags);

/// <summary>
/// The backends of a segment, which new connections go to; may be empty: then nobody serves its frontends. Behind them, <see cref="Tail"/>: those that serve
/// but are not chosen, which flows that already go to them may keep. Equal by content.
/// </summary>
public sealed record DesiredSegment(SegmentKey Key, ServicePortName Owner, ImmutableArray<DesiredBackend> Backends)
{
    /// <summary>Sorted like <see cref="Backends"/>, and disjoint from them.</summary>
    public ImmutableArray<DesiredBackend> Tail { get; init; } = [];

    public bool Equals(DesiredSegment? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Key == other.Key && Owner == other.Owner && Backends.AsSpan().SequenceEqual(other.Backends.AsSpan())
            && Tail.AsSpan().SequenceEqual(other.Tail.AsSpan()));

    public override int GetHashCode() => HashCode.Combine(Key, Owner, Backends.Length, Tail.Length);
}

/// <summary>A frontend and the segment that serves it.</summary>
public sealed record DesiredFrontend(SvcKey Key, SegmentKey Segment, ServicePortName Owner, SvcFlags Flags, uint AffinitySec);

/// <summary>Clients in the prefix may use the service port. The address's bits beyond the prefix are 0; the length is of the address's own family (0 to 32, 0 to 128).</summary>
public readonly record struct DesiredSourceRange(uint ServiceId, Addr Addr, int PrefixLength);

/// <summary>What the destinations of a prefix are (lengths as in <see cref="DesiredSourceRange"/>).</summary>
/// <param name="Addr">The first; bits beyond the prefix are 0.</param>
/// <param name="PrefixLength">Of the address's own family.</param>
/// <param name="Flags">What they are.</param>
/// <param name="Tunnel">The address of the node that they are on, when what pods exchange with them travels through the tunnel.</param>
public readonly record struct DesiredPrefix(Addr Addr, int PrefixLength, IpcacheFlags Flags, Addr? Tunnel = null);

/// <summary>A health check node port (externalTrafficPolicy Local).</summary>
/// <param name="Service">Whose.</param>
/// <param name="Port">The node's port to listen on.</param>
/// <param name="LocalEndpoints">Ready endpoints on this node; terminating ones do not count.</param>
public sealed record DesiredHealthCheck(ObjectName Service, ushort Port, int LocalEndpoints);

/// <summary>A route to another node's pods.</summary>
/// <param name="Destination">Their prefix.</param>
/// <param name="Gateway">That node's address on a shared layer 2, which may be of IPv6 for a destination of IPv4; null: they are reached through the tunnel.</param>
/// <param name="Node">That node.</param>
public sealed record DesiredRoute(IPNetwork Destination, IPAddress? Gateway, string Node);

/// <summary>Why an object, or a part of it, was left out.</summary>
/// <param name="Kind">Service, EndpointSlice, Node or Pod.</param>
/// <param name="Name">The object.</param>
/// <param name="Uid">Its uid, for an Event; may be empty.</param>
/// <param name="Reason">CamelCase, stable: the event's reason and the metric's label.</param>
/// <param name="Message">One sentence with the offending value and what was done about it.</param>
public sealed record CompileIssue(string Kind, ObjectName Name, string Uid, string Reason, string Message);
