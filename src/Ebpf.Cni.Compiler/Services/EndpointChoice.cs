using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>
/// Which endpoints of a service port serve it, as kube-proxy's CategorizeEndpoints (pkg/proxy/topology.go) has it for the Cluster
/// policy: those that are ready; if there is none, those that terminate but still serve (KEP-1669).
/// </summary>
internal static class EndpointChoice
{
    /// <summary>An endpoint with its target port.</summary>
    internal readonly record struct Candidate(SliceEndpoint Endpoint, U16Be Port);

    /// <summary>Sorts and merges <paramref name="candidates"/> in place and returns the list of the Cluster policy.</summary>
    public static ImmutableArray<DesiredBackend> Cluster(List<Candidate> candidates)
    {
        if (candidates.Count == 0)
            return [];
        SortAndMerge(candidates);
        var ready = candidates.Exists(c => c.Endpoint.Ready);
        var backends = ImmutableArray.CreateBuilder<DesiredBackend>(candidates.Count);
        foreach (var (endpoint, port) in candidates)
            if (ready ? endpoint.Ready : endpoint.ServingTerminating)
                backends.Add(new DesiredBackend(endpoint.Addr, port, endpoint.Local ? BackendFlags.Local : BackendFlags.None));
        return backends.DrainToImmutable();
    }

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
                candidates[kept] = last with { Endpoint = Merge(last.Endpoint, next.Endpoint) };
        }
        candidates.RemoveRange(kept + 1, candidates.Count - kept - 1);
    }

    private static SliceEndpoint Merge(SliceEndpoint a, SliceEndpoint b) =>
        new(a.Addr, a.Local || b.Local, a.Ready || b.Ready, a.ServingTerminating || b.ServingTerminating);
}
