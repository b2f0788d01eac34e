using System.Collections.Immutable;
using System.Net;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;

namespace Ebpf.Cni.Compiler.Output;

/// <summary>
/// What the kernel should hold, sorted; equal snapshots give equal states. The dataplane's only input. States that
/// follow each other share what did not change, and say where they differ (<see cref="PortsSince"/>). The lists of
/// segments, frontends, ranges, checks and issues are for readers that want all of them: they are made when asked for.
/// </summary>
public sealed record DesiredState
{
    public static readonly DesiredState Empty = new();

    private Derived<ServicePortName, DesiredPort, DesiredSegment>? _segments;
    private Derived<ServicePortName, DesiredPort, DesiredFrontend>? _frontends;
    private Derived<ServicePortName, DesiredPort, DesiredSourceRange>? _sourceRanges;
    private Derived<ObjectName, DesiredHealthCheck, DesiredHealthCheck>? _healthChecks;
    private Derived<IssueKey, CompileIssue, CompileIssue>? _issues;

    /// <summary>Service ports that are served somewhere, by name. All that the service tables hold.</summary>
    public ImmutableSortedDictionary<ServicePortName, DesiredPort> Ports { get; init; } =
        ImmutableSortedDictionary<ServicePortName, DesiredPort>.Empty;

    /// <summary>Health check node ports to listen on, by service.</summary>
    public ImmutableSortedDictionary<ObjectName, DesiredHealthCheck> ChecksByService { get; init; } =
        ImmutableSortedDictionary<ObjectName, DesiredHealthCheck>.Empty;

    /// <summary>What was left out, and why.</summary>
    public ImmutableSortedDictionary<IssueKey, CompileIssue> IssuesByKey { get; init; } =
        ImmutableSortedDictionary<IssueKey, CompileIssue>.Empty;

    /// <summary>What destinations are; sorted by prefix, each once. The same array as long as it is equal.</summary>
    public ImmutableArray<DesiredPrefix> Prefixes { get; init; } = [];

    /// <summary>Routes to the pods of other nodes, sorted by destination. The same array as long as it is equal.</summary>
    public ImmutableArray<DesiredRoute> Routes { get; init; } = [];

    /// <summary>Ports of cluster IPs that are addresses of this node as well: the node itself may have a server there. Sorted.</summary>
    public ImmutableArray<NodeServer> ServerCandidates { get; init; } = [];

    /// <summary>The ids after this compile: the input of the next one.</summary>
    public IdTable Ids { get; init; } = IdTable.Empty;

    /// <summary>How <see cref="Ports"/> came out of those of the compile before; null: not known.</summary>
    public KeyedChanges<ServicePortName, DesiredPort>? PortChanges { get; init; }

    /// <summary>The same of <see cref="ChecksByService"/>.</summary>
    public KeyedChanges<ObjectName, DesiredHealthCheck>? CheckChanges { get; init; }

    /// <summary>The same of <see cref="IssuesByKey"/>.</summary>
    public KeyedChanges<IssueKey, CompileIssue>? IssueChanges { get; init; }

    /// <summary>Sorted by (service port, variant). Every frontend's segment is here once.</summary>
    public ImmutableArray<DesiredSegment> Segments =>
        Derive(ref _segments, Ports, static ports => Collect(ports, static p => p.Segments, null));

    /// <summary>Sorted by key; keys are unique.</summary>
    public ImmutableArray<DesiredFrontend> Frontends =>
        Derive(ref _frontends, Ports, static ports => Collect(ports, static p => p.Frontends, static (a, b) => a.Key.CompareTo(b.Key)));

    /// <summary>
    /// Who may use service ports whose frontends have <see cref="SvcFlags.SourceRanges"/>; sorted by service id, then prefix.
    /// </summary>
    public ImmutableArray<DesiredSourceRange> SourceRanges =>
        Derive(ref _sourceRanges, Ports, static ports => Collect(ports, static p => p.SourceRanges, CompareRanges));

    /// <summary>Health check node ports to listen on, sorted by service.</summary>
    public ImmutableArray<DesiredHealthCheck> HealthChecks =>
        Derive(ref _healthChecks, ChecksByService, static checks => [.. checks.Values]);

    /// <summary>Sorted by kind, name, reason; an object has at most one of a reason.</summary>
    public ImmutableArray<CompileIssue> Issues => Derive(ref _issues, IssuesByKey, static issues => [.. issues.Values]);

    /// <summary>
    /// The service ports that are not the same object in <paramref name="before"/>. From the
    /// state of the compile before, that costs what changed; from any other one a walk over both.
    /// </summary>
    public IEnumerable<PortChange> PortsSince(DesiredState before)
    {
        ArgumentNullException.ThrowIfNull(before);
        foreach (var name in KeyedDifference.Between(before.Ports, Ports, PortChanges))
        {
            var change = new PortChange(before.Ports.GetValueOrDefault(name), Ports.GetValueOrDefault(name));
            if (!ReferenceEquals(change.Before, change.After))
                yield return change;
        }
    }

    /// <summary>By content; what is known of the history plays no part.</summary>
    public bool Equals(DesiredState? other) =>
        ReferenceEquals(this, other)
        || (other is not null && Ports.SequenceEqual(other.Ports) && ChecksByService.SequenceEqual(other.ChecksByService)
            && IssuesByKey.SequenceEqual(other.IssuesByKey)
            && Prefixes.AsSpan().SequenceEqual(other.Prefixes.AsSpan()) && Routes.AsSpan().SequenceEqual(other.Routes.AsSpan())
            && ServerCandidates.AsSpan().SequenceEqual(other.ServerCandidates.AsSpan()) && Ids == other.Ids);

    public override int GetHashCode() =>
        HashCode.Combine(Ports.Count, ChecksByService.Count, IssuesByKey.Count, Prefixes.Length, Routes.Length, Ids.Next);

    private static ImmutableArray<TItem> Derive<TKey, TValue, TItem>(
        ref Derived<TKey, TValue, TItem>? kept,
        ImmutableSortedDictionary<TKey, TValue> of,
        Func<ImmutableSortedDictionary<TKey, TValue>, ImmutableArray<TItem>> make)
        where TKey : notnull
    {
        if (kept is { } last && ReferenceEquals(last.Of, of))
            return last.Items;
        var made = new Derived<TKey, TValue, TItem>(of, make(of));
        kept = made;
        return made.Items;
    }

    private static ImmutableArray<T> Collect<T>(
        ImmutableSortedDictionary<ServicePortName, DesiredPort> ports, Func<DesiredPort, ImmutableArray<T>> part, Comparison<T>? order)
    {
        var count = 0;
        foreach (var (_, port) in ports)
            count += part(port).Length;
        var (all, at) = (new T[count], 0);
        foreach (var (_, port) in ports)
        {
            part(port).CopyTo(all, at);
            at += part(port).Length;
        }
        if (order is not null)
            Array.Sort(all, order);
        return ImmutableCollectionsMarshal.AsImmutableArray(all);
    }

    private static int CompareRanges(DesiredSourceRange a, DesiredSourceRange b)
    {
        var c = a.ServiceId.CompareTo(b.ServiceId);
        if (c == 0)
            c = a.Addr.CompareTo(b.Addr);
        return c != 0 ? c : a.PrefixLength.CompareTo(b.PrefixLength);
    }

    /// <summary>
    /// A list that a reader asked for, and what it was made of: a copy of the state with other content does not take it for its own.
    /// </summary>
    private sealed record Derived<TKey, TValue, TItem>(ImmutableSortedDictionary<TKey, TValue> Of, ImmutableArray<TItem> Items)
        where TKey : notnull;
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

    /// <summary>
    /// Always empty: reject entries and the like, frontends only in form (a cluster IP's other ports, the bind hook's NodePorts, what is
    /// left to a server of the node).
    /// </summary>
    None = 4,
}

/// <summary>Names a segment; <paramref name="ServiceId"/> is never 0.</summary>
public readonly record struct SegmentKey(uint ServiceId, SegmentVariant Variant);

/// <summary>A backend as compiled: sorted by address, then port; no duplicates inside a run.</summary>
public readonly record struct DesiredBackend(Addr Addr, U16Be Port, BackendFlags Flags);

/// <summary>
/// The backends of a segment, which new connections go to; may be empty: then its frontends have no backend. Behind them,
/// <see cref="Tail"/>: those that serve but are not chosen, which flows that already go to them may keep. Equal by content.
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

/// <summary>
/// Clients in the prefix may use the service port. The address's bits beyond the prefix are 0; the length is of the address's own family (0
/// to 32, 0 to 128).
/// </summary>
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
/// <param name="Gateway">
/// That node's address on a shared layer 2, which may be of IPv6 for a destination of IPv4; null: they are reached through the tunnel.
/// </param>
/// <param name="Node">That node.</param>
public sealed record DesiredRoute(IPNetwork Destination, IPAddress? Gateway, string Node);

/// <summary>Why an object, or a part of it, was left out.</summary>
/// <param name="Kind">Service, EndpointSlice, Node or Pod.</param>
/// <param name="Name">The object.</param>
/// <param name="Uid">Its uid, for an Event; may be empty.</param>
/// <param name="Reason">CamelCase, stable: the event's reason and the metric's label.</param>
/// <param name="Message">One sentence with the offending value and what was done about it.</param>
public sealed record CompileIssue(string Kind, ObjectName Name, string Uid, string Reason, string Message);
