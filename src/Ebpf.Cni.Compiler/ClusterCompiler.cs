using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Prefixes;
using Ebpf.Cni.Compiler.Routes;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler;

/// <summary>
/// Cluster → what the kernel of one node should hold. Static, deterministic and total: no clock, file, socket or kernel; whatever
/// the objects contain, a bad one becomes an issue and leaves the others as they are. kube-proxy's rules, each cited where it is applied.
/// </summary>
public static class ClusterCompiler
{
    /// <param name="cluster">Complete lists: what is missing from them is missing from the result.</param>
    /// <param name="node">The node compiled for.</param>
    /// <param name="ids">The last result's <see cref="DesiredState.Ids"/>; at first what was restored from the kernel.</param>
    /// <param name="cache">Makes the next compile cost little more than what changed; never changes the result.</param>
    public static DesiredState Compile(ClusterSnapshot cluster, NodeContext node, IdTable ids, CompileCache? cache = null)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(ids);
        cache ??= new CompileCache();
        var outdated = cache.Enter(node, cluster);
        if (ReferenceEquals(cache.Cluster, cluster) && cache.State is { } last && ReferenceEquals(last.Ids, ids))
            return last;

        var issues = new List<CompileIssue>();
        if (cache.Slices?.Source != cluster.EndpointSlices)
            cache.Slices = new SliceIndex(cluster.EndpointSlices);

        CompileServices(cluster, cache.Slices, cache, outdated);
        foreach (var service in cache.Services)
            issues.AddRange(service.Issues);
        issues.AddRange(cache.HostPorts!.Issues);
        var held = FrontendTable.Resolve(cache.Claims, issues);
        var conflicts = held.Length != cache.Claims.Length;
        var ports = Served(cache.Services, cache.HostPorts.Ports, conflicts ? held : null);
        var newIds = IdAssigner.Assign(ids, ports, held);
        var checks = HealthCheck.Resolve(cache.Services, issues);

        if (cache.Routes?.Nodes != cluster.Nodes)
            cache.Routes = RouteCompiler.Compile(cluster.Nodes, node);
        var clusterIPs = FrontendTable.ClusterIPs(cache.Claims, node.NodeAddresses);
        if (cache.Prefixes?.Nodes != cluster.Nodes || !cache.Prefixes.ClusterIPs.AsSpan().SequenceEqual(clusterIPs.AsSpan()))
            cache.Prefixes = PrefixCompiler.Compile(cache.Routes, node, clusterIPs);
        issues.AddRange(cache.Routes.Issues);
        issues.Sort(CompareIssues);

        cache.Cluster = cluster;
        return cache.State = new DesiredState
        {
            Segments = EmitSegments(ports, conflicts ? held : null),
            Frontends = EmitFrontends(held),
            SourceRanges = EmitSourceRanges(ports),
            Prefixes = cache.Prefixes.Prefixes,
            HealthChecks = [.. checks],
            Routes = cache.Routes.Routes,
            Issues = [.. issues],
            Ids = newIds,
        };
    }

    /// <summary>Stage 2 over all services: old and new are both in the order of names, so one walk over both tells what changed.</summary>
    private static void CompileServices(ClusterSnapshot cluster, SliceIndex slices, CompileCache cache, CompiledPort[] outdated)
    {
        var (before, at) = (cache.Services, 0);
        var after = new List<CompiledService>(cluster.Services.Count);
        var gone = new HashSet<CompiledPort>(outdated);
        var fresh = new List<CompiledPort>();
        foreach (var (name, service) in cluster.Services)
        {
            while (at < before.Count && before[at].Name < name)
                gone.UnionWith(before[at++].Ports);
            var same = at < before.Count && before[at].Name == name ? before[at++] : null;
            if (same is not null && ReferenceEquals(same.Source, service) && slices.Has(name, same.Slices))
            {
                after.Add(same);
                continue;
            }
            gone.UnionWith(same?.Ports ?? []);
            var compiled = ServiceCompiler.Compile(name, service, slices.Of(name), cache.View!);
            fresh.AddRange(compiled.Ports);
            after.Add(compiled);
        }
        while (at < before.Count)
            gone.UnionWith(before[at++].Ports);
        cache.Services = after;
        if (cache.HostPorts is null)
        {
            cache.HostPorts = HostPortCompiler.Compile(cache.Node!);
            fresh.AddRange(cache.HostPorts.Ports);
        }
        cache.Claims = FrontendTable.Sort(cache.Claims, gone, fresh);
    }

    /// <summary>The ports with a frontend, by name; <paramref name="held"/> null: all claims hold.</summary>
    private static List<CompiledPort> Served(List<CompiledService> services, CompiledPort[] hostPorts, FrontendClaim[]? held)
    {
        var winners = held?.Select(h => h.Port).ToHashSet();
        var (ports, next) = (new List<CompiledPort>(services.Count + hostPorts.Length), 0);
        foreach (var service in services)
            foreach (var port in service.Ports)
            {
                while (next < hostPorts.Length && hostPorts[next].Name < port.Name)
                    AddServed(hostPorts[next++]);
                AddServed(port);
            }
        while (next < hostPorts.Length)
            AddServed(hostPorts[next++]);
        return ports;

        void AddServed(CompiledPort port)
        {
            if (winners?.Contains(port) ?? port.Frontends.Length > 0)
                ports.Add(port);
        }
    }

    private static ImmutableArray<DesiredSourceRange> EmitSourceRanges(List<CompiledPort> ports)
    {
        List<DesiredSourceRange>? ranges = null;
        foreach (var port in ports)
            if (port.SourceRanges.Length > 0)
                (ranges ??= []).AddRange(port.EmitSourceRanges());
        if (ranges is null)
            return [];
        ranges.Sort(static (a, b) =>
        {
            var c = a.ServiceId.CompareTo(b.ServiceId);
            return c != 0 ? c : new AddressRange(a.Addr, a.PrefixLength).CompareTo(new AddressRange(b.Addr, b.PrefixLength));
        });
        return [.. ranges];
    }

    /// <summary>Ports are in order and so are the segments of each: the result is sorted. A segment that no frontend leads to is left out.</summary>
    private static ImmutableArray<DesiredSegment> EmitSegments(List<CompiledPort> ports, FrontendClaim[]? held)
    {
        var used = held?.Select(h => (h.Port, h.Port.Frontends[h.Index].Variant)).ToHashSet();
        var segments = ImmutableArray.CreateBuilder<DesiredSegment>(ports.Count);
        foreach (var port in ports)
            for (var i = 0; i < port.Segments.Length; i++)
                if (used?.Contains((port, port.Segments[i].Variant)) ?? true)
                    segments.Add(port.EmitSegment(i));
        return segments.DrainToImmutable();
    }

    private static ImmutableArray<DesiredFrontend> EmitFrontends(FrontendClaim[] held)
    {
        var frontends = new DesiredFrontend[held.Length];
        for (var i = 0; i < held.Length; i++)
            frontends[i] = held[i].Port.EmitFrontend(held[i].Index);
        return ImmutableCollectionsMarshal.AsImmutableArray(frontends);
    }

    private static int CompareIssues(CompileIssue a, CompileIssue b)
    {
        var c = string.CompareOrdinal(a.Kind, b.Kind);
        if (c == 0)
            c = a.Name.CompareTo(b.Name);
        if (c == 0)
            c = string.CompareOrdinal(a.Reason, b.Reason);
        return c != 0 ? c : string.CompareOrdinal(a.Message, b.Message);
    }
}
