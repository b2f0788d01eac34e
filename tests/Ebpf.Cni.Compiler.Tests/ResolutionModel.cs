using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// Who has which frontend, and which ids ports get, as rules over the whole cluster at once: all claims sorted, one walk.
/// </summary>
internal static class ResolutionModel
{
    private readonly record struct Claim(CompiledFrontend Frontend, CompiledPort Port);

    public static void Check(ClusterSnapshot cluster, NodeContext node, IdTable ids, DesiredState state)
    {
        var held = Resolve(Claims(cluster, node), out var lost);
        Assert.Equal(held.Select(h => (h.Frontend.Key, h.Port.Name)), state.Frontends.Select(f => (f.Key, f.Owner)));
        var conflicts = state.Issues.Where(i => i.Reason == "FrontendConflict").Select(i => (i.Kind, i.Name, Told(i.Message)));
        Assert.Equal(lost.GroupBy(l => l.Owner).Select(g => (g.Key.Kind, g.Key.Name, g.Count())).Order(), conflicts.Order());
        Assert.Equal(Ids(ids, held).OrderBy(i => i.Key), state.Ids.ByName.OrderBy(i => i.Key));
    }

    /// <summary>A kernel that holds this state, and perhaps a little less.</summary>
    public static IdTable Restored(DesiredState state, Random random) => new()
    {
        Restored = state.Frontends.Where(_ => random.Next(10) != 0).ToImmutableDictionary(f => f.Key, f => f.Segment.ServiceId),
        Next = (uint)random.Next(1, 20),
    };

    private static List<Claim> Claims(ClusterSnapshot cluster, NodeContext node)
    {
        var view = new ServiceContext(node, cluster);
        var slices = new SliceIndex();
        foreach (var (name, slice) in cluster.EndpointSlices)
            slices.Put(name, null, slice, []);
        var ports = cluster.Services.SelectMany(
            s => ServiceCompiler.Compile(s.Key, s.Value, slices.Of(s.Key), view, ReadSlices.None, []).Ports);
        var claims = ports.Concat(HostPortCompiler.Compile(node).Ports).SelectMany(p => p.Frontends.Select(f => new Claim(f, p)));
        return [.. claims.OrderBy(c => c.Frontend.Key).ThenBy(c => c.Frontend.Kind).ThenBy(c => c.Port.Name)];
    }

    private static List<Claim> Resolve(List<Claim> claims, out List<(Claim Claim, (string Kind, ObjectName Name) Owner)> lost)
    {
        var (held, told) = (new List<Claim>(), new List<(Claim, (string, ObjectName))>());
        var (winner, address) = (0, 0);
        for (var i = 0; i < claims.Count; i++)
        {
            var (frontend, port) = claims[i];
            if (frontend.Key.Addr != claims[address].Frontend.Key.Addr)
                address = i;
            if (claims[address].Frontend.IsRejectEntry && frontend.Kind is FrontendKind.NodePort or FrontendKind.HostPort)
            {
                if (HostPortCompiler.AskedFor(port.Name.Port, frontend.Key.Addr))
                    told.Add((claims[i], OwnerOf(claims[i])));
                continue;
            }
            if (frontend.Key with { Scope = Scope.Internal } != claims[winner].Frontend.Key with { Scope = Scope.Internal })
                winner = i;
            if (port == claims[winner].Port)
                held.Add(claims[i]);
            else
                told.Add((claims[i], OwnerOf(claims[i])));
        }
        lost = told;
        return held;
    }

    private static (string, ObjectName) OwnerOf(Claim claim) =>
        (claim.Frontend.Kind == FrontendKind.HostPort ? "Pod" : "Service", claim.Port.Name.Service);

    /// <summary>How many claims a message is about: "… (and 2 more)".</summary>
    private static int Told(string message)
    {
        var at = message.LastIndexOf(" (and ", StringComparison.Ordinal);
        return at < 0
            ? 1
            : 1 + int.Parse(
                message[(at + 6)..message.IndexOf(" more)", at, StringComparison.Ordinal)],
                System.Globalization.CultureInfo.InvariantCulture);
    }

    private static Dictionary<ServicePortName, uint> Ids(IdTable before, List<Claim> held)
    {
        var ports = held.Select(h => h.Port.Name).Distinct().Order().ToList();
        var ids = ports.Where(before.ByName.ContainsKey).ToDictionary(p => p, p => before.ByName[p]);
        var inUse = before.ByName.Values.Append(0u).ToHashSet();
        foreach (var markers in new[] { false, true })
            foreach (var port in ports.Where(p => !ids.ContainsKey(p)))
                foreach (var claim in held.Where(h =>
                    h.Port.Name == port && h.Frontend.Variant == SegmentVariant.None == markers
                    && before.Restored.ContainsKey(h.Frontend.Key)).Take(1))
                    if (!ids.ContainsKey(port) && inUse.Add(before.Restored[claim.Frontend.Key]))
                        ids[port] = before.Restored[claim.Frontend.Key];
        inUse.UnionWith(before.Restored.Values);
        var next = before.Next;
        foreach (var port in ports.Where(p => !ids.ContainsKey(p)))
        {
            while (!inUse.Add(next))
                next++;
            ids[port] = next++;
        }
        return ids;
    }
}
