using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Agent.Observe;

/// <summary>Frontends as the kernel has them, beside what was last applied: where the two differ, it shows. Pure.</summary>
internal sealed class ServiceListing
{
    private readonly KnownNames _names;
    private readonly DesiredState _desired;
    private readonly Dictionary<SvcKey, DesiredFrontend> _frontends;
    private readonly Dictionary<SegmentKey, DesiredSegment> _segments;

    public ServiceListing(KnownNames names, DesiredState desired)
    {
        (_names, _desired) = (names, desired);
        _frontends = desired.Frontends.ToDictionary(f => f.Key);
        _segments = desired.Segments.ToDictionary(s => s.Key);
    }

    /// <summary>An entry that carries no traffic to backends: an address's other ports, a NodePort's bind guard.</summary>
    public static bool IsRejectEntry(SvcKey key, Svc value) => key.Scope == Scope.Bind || value.Flags.HasFlag(SvcFlags.Address);

    public ServicesAnswer All(ImmutableArray<ServiceView> views, int limit) => new()
    {
        Total = views.Length,
        Frontends = [.. views.Select(v => Line(v, new FrontendLine())).OrderBy(f => f.Service, StringComparer.Ordinal)
            .ThenBy(f => f.PortName, StringComparer.Ordinal).Take(limit)],
    };

    public ServiceAnswer One(
        ObjectName name, ImmutableArray<ServiceView> views, ImmutableArray<SrangeKey> ranges, BackendCounts counts,
        IReadOnlyDictionary<Addr, EndpointFact> endpoints)
    {
        var held = views.Select(v => v.Key).ToHashSet();
        return new ServiceAnswer
        {
            Service = name.ToString(),
            Frontends = [.. views.Select(v => Detail(v, ranges, counts, endpoints)).OrderBy(f => f.PortName, StringComparer.Ordinal)],
            Missing =
            [
                .. _desired.Frontends.Where(f => f.Owner.Service == name && f.Key.Scope != Scope.Bind && !f.Flags.HasFlag(SvcFlags.Address)
                    && !held.Contains(f.Key))
                    .Select(f => $"{AddressText.EndOf(f.Key.Addr, f.Key.Port)}/{AddressText.Protocol(f.Key.Proto)} "
                        + $"{ScopeText(f.Key.Scope)}"),
            ],
        };
    }

    private FrontendDetail Detail(
        ServiceView view, ImmutableArray<SrangeKey> ranges, BackendCounts counts, IReadOnlyDictionary<Addr, EndpointFact> endpoints) =>
        Line(view, new FrontendDetail()) with
        {
            AffinitySeconds = view.Value.AffinitySec,
            SourceRanges = view.Value.Flags.HasFlag(SvcFlags.SourceRanges)
                ? [.. ranges.Where(r => r.ServiceId.Host == view.Value.ServiceId).Select(r => AddressText.Prefix(r.Addr, r.Prefixlen - 32))
                    .Order(StringComparer.Ordinal)]
                : [],
            Served =
            [
                .. view.Backends.Select(b => BackendOf(b, false, counts, endpoints)),
                .. view.Tail.Select(b => BackendOf(b, true, counts, endpoints)),
            ],
        };

    private BackendLine BackendOf(Backend backend, bool tail, BackendCounts counts, IReadOnlyDictionary<Addr, EndpointFact> endpoints)
    {
        var (got, endpoint) = (counts[backend], endpoints.GetValueOrDefault(backend.Addr));
        return new BackendLine
        {
            Address = backend.Addr.ToString(),
            Port = backend.Port.Host,
            Pod = _names.Pod(backend.Addr),
            Node = endpoint?.Node ?? _names.Node(backend.Addr),
            Local = backend.Flags.HasFlag(BackendFlags.Local),
            Tail = tail,
            State = tail ? EndpointFact.Waning(endpoint) : "serving",
            Connections = got.Connections,
            PacketsTo = got.PacketsTo,
            BytesTo = got.BytesTo,
            PacketsFrom = got.PacketsFrom,
            BytesFrom = got.BytesFrom,
        };
    }

    private T Line<T>(ServiceView view, T line) where T : FrontendLine
    {
        var owner = _names.Service(view.Value.ServiceId);
        return (T)(line with
        {
            Service = owner?.Service.ToString() ?? "",
            PortName = owner?.Port ?? "",
            ServiceId = view.Value.ServiceId,
            Address = view.Key.Addr.ToString(),
            Port = view.Key.Port.Host,
            Protocol = AddressText.Protocol(view.Key.Proto),
            Scope = ScopeText(view.Key.Scope),
            Backends = view.Backends.Length,
            Local = view.Backends.Count(b => b.Flags.HasFlag(BackendFlags.Local)),
            Tail = view.Tail.Length,
            Flags = [.. Flags(view)],
            State = State(view),
        });
    }

    private string State(ServiceView view)
    {
        if (!view.Sound)
            return "broken";
        if (!_frontends.TryGetValue(view.Key, out var wanted))
            return "unexpected";
        return wanted.Segment.ServiceId == view.Value.ServiceId && wanted.Flags == view.Value.Flags
            && wanted.AffinitySec == view.Value.AffinitySec
            && _segments.TryGetValue(wanted.Segment, out var segment) && Same(segment.Backends, view.Backends)
            && Same(segment.Tail, view.Tail)
            ? "ok"
            : "different";
    }

    private static bool Same(ImmutableArray<DesiredBackend> wanted, ImmutableArray<Backend> held) =>
        wanted.SequenceEqual(held.Select(b => new DesiredBackend(b.Addr, b.Port, b.Flags)));

    private static IEnumerable<string> Flags(ServiceView view)
    {
        if (view.Value.Flags.HasFlag(SvcFlags.DropEmpty))
            yield return "dropEmpty";
        if (view.Value.Flags.HasFlag(SvcFlags.SourceRanges))
            yield return "sourceRanges";
        if (view.Value.Flags.HasFlag(SvcFlags.KeepSource))
            yield return "keepSource";
        if (view.Value.AffinitySec > 0)
            yield return "affinity";
    }

    private static string ScopeText(Scope scope) => scope == Scope.External ? "external" : "internal";
}
