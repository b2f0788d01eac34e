using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Which endpoints of a service port serve it, of one family: kube-proxy's CategorizeEndpoints (pkg/proxy/topology.go). The lists of the
/// Cluster and of the Local policy fall back to endpoints that terminate but still serve independently of each other (KEP-1669).
/// </summary>
internal readonly struct EndpointChoice
{
    private readonly List<Candidate>? _all;
    private readonly EndpointTraits _cluster;
    private readonly EndpointTraits _local;

    /// <param name="candidates">
    /// All endpoints of the port, in any order, perhaps repeated; sorted and merged in place, and read as long as this is asked.
    /// </param>
    public EndpointChoice(List<Candidate> candidates)
    {
        if (candidates.Count == 0)
            return;
        SortAndMerge(candidates);
        _all = candidates;
        var anyReady = Any(EndpointTraits.Ready);
        Exists = anyReady || Any(EndpointTraits.ServingTerminating);
        _cluster = anyReady ? EndpointTraits.Ready | Topology(candidates) : EndpointTraits.ServingTerminating;
        _local = EndpointTraits.Local
            | (Any(EndpointTraits.Local | EndpointTraits.Ready) ? EndpointTraits.Ready : EndpointTraits.ServingTerminating);
    }

    /// <summary>An endpoint with its target port.</summary>
    internal readonly record struct Candidate(SliceEndpoint Endpoint, U16Be Port);

    /// <summary>
    /// hasAnyEndpoints: an endpoint serves somewhere, maybe out of this node's reach. Not-ready endpoints alone do not count: refused, not
    /// dropped.
    /// </summary>
    public bool Exists { get; }

    /// <summary>The Cluster policy's list, topology observed.</summary>
    public CompiledSegment Cluster(SegmentVariant variant) => Choose(variant, _cluster);

    /// <summary>The Local policy's list; topology is no concern of it.</summary>
    public CompiledSegment Local(SegmentVariant variant) => Choose(variant, _local);

    /// <summary>
    /// The trait that topology asks of every chosen endpoint (topologyModeFromHints; KEP-3015, KEP-4444, KEP-2433): a hint for this node if
    /// every ready endpoint has node hints and one names this node; else the same with its zone; else nothing. All or nothing: an endpoint
    /// without a hint may be the only one with room.
    /// </summary>
    private static EndpointTraits Topology(List<Candidate> candidates)
    {
        var (have, lack) = (EndpointTraits.None, EndpointTraits.None);
        foreach (var (endpoint, _) in candidates)
        {
            if ((endpoint.Traits & EndpointTraits.Ready) == 0)
                continue;
            have |= endpoint.Traits;
            lack |= ~endpoint.Traits;
        }
        if ((lack & EndpointTraits.NodeHints) == 0 && (have & EndpointTraits.ForThisNode) != 0)
            return EndpointTraits.ForThisNode;
        if ((lack & EndpointTraits.ZoneHints) == 0 && (have & EndpointTraits.ForThisZone) != 0)
            return EndpointTraits.ForThisZone;
        return EndpointTraits.None;
    }

    private bool Any(EndpointTraits traits) => _all!.Exists(c => c.Endpoint.Has(traits));

    /// <summary>
    /// Those with all the traits; the others that serve are the tail: kube-proxy's conntrack cleanup leaves a UDP flow alone as long as
    /// its endpoint serves, whatever policy and topology say (pkg/proxy/conntrack/cleanup.go).
    /// </summary>
    private CompiledSegment Choose(SegmentVariant variant, EndpointTraits traits)
    {
        if (_all is null)
            return new CompiledSegment(variant, [], []);
        var count = 0;
        foreach (var (endpoint, _) in _all)
            count += endpoint.Has(traits) ? 1 : 0;
        var chosen = ImmutableArray.CreateBuilder<DesiredBackend>(count);
        ImmutableArray<DesiredBackend>.Builder? tail = null;
        foreach (var (endpoint, port) in _all)
            if (endpoint.Has(traits))
                chosen.Add(Backend(endpoint, port));
            else if (endpoint.Has(EndpointTraits.Serving))
                (tail ??= ImmutableArray.CreateBuilder<DesiredBackend>()).Add(Backend(endpoint, port));
        return new CompiledSegment(variant, chosen.MoveToImmutable(), tail?.DrainToImmutable() ?? []);
    }

    private static DesiredBackend Backend(SliceEndpoint endpoint, U16Be port) =>
        new(endpoint.Addr, port, endpoint.Has(EndpointTraits.Local) ? BackendFlags.Local : BackendFlags.None);

    /// <summary>
    /// An endpoint may be in two slices while it moves between them. kube-proxy keeps one of them, a local one if they differ in
    /// that; here a ready one wins as well, so that the answer does not depend on the order of slices.
    /// </summary>
    private static void SortAndMerge(List<Candidate> candidates)
    {
        candidates.Sort(static (a, b) =>
        {
            var c = a.Endpoint.Addr.CompareTo(b.Endpoint.Addr);
            return c != 0 ? c : a.Port.Host.CompareTo(b.Port.Host);
        });
        var kept = 0;
        for (var i = 1; i < candidates.Count; i++)
        {
            var (last, next) = (candidates[kept], candidates[i]);
            if (last.Endpoint.Addr != next.Endpoint.Addr || last.Port != next.Port)
                candidates[++kept] = next;
            else
                candidates[kept] = last with { Endpoint = last.Endpoint with { Traits = last.Endpoint.Traits | next.Endpoint.Traits } };
        }
        candidates.RemoveRange(kept + 1, candidates.Count - kept - 1);
    }
}
