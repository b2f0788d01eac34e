using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Services;

/// <summary>A frontend that wants to be served: one of a port's, with its key as numbers that compare quickly.</summary>
internal readonly record struct FrontendClaim(ulong High, ulong Low, uint Rest, int Index, CompiledPort Port) : IComparable<FrontendClaim>
{
    public static FrontendClaim Of(CompiledPort port, int index)
    {
        var key = port.Frontends[index].Key;
        var (a, rest) = (key.Addr, (uint)key.Port.Host << 16 | (uint)key.Proto << 8 | (uint)key.Scope);
        return new FrontendClaim((ulong)a.W0.Host << 32 | a.W1.Host, (ulong)a.W2.Host << 32 | a.W3.Host, rest, index, port);
    }

    public ref readonly CompiledFrontend Frontend => ref Port.Frontends[Index];

    /// <summary>Of a cluster IP: the first of the claims at its address.</summary>
    public bool IsMarker => Rest == 0 && Frontend.Kind == FrontendKind.ClusterIP;

    public bool SameAddress(in FrontendClaim other) => High == other.High && Low == other.Low;

    /// <summary>The same address, port and protocol, for whomever.</summary>
    public bool SameTarget(in FrontendClaim other) => High == other.High && Low == other.Low && Rest >> 8 == other.Rest >> 8;

    /// <summary>By key; of equal keys the winner's first: by kind, then by name.</summary>
    public int CompareTo(FrontendClaim other)
    {
        if (Low != other.Low || High != other.High)
            return High != other.High ? High.CompareTo(other.High) : Low.CompareTo(other.Low);
        if (Rest != other.Rest)
            return Rest.CompareTo(other.Rest);
        if (Frontend.Kind != other.Frontend.Kind)
            return Frontend.Kind.CompareTo(other.Frontend.Kind);
        var c = Port.Name.CompareTo(other.Port.Name);
        return c != 0 ? c : Index.CompareTo(other.Index);
    }
}

/// <summary>
/// Stage 3: who is served at which address, port and protocol. Of several claims the first by kind of address, namespace, name and port name wins, on every
/// node alike and in all scopes: nobody gets another's traffic from outside only. The others become issues. The API server hands out cluster IPs and node
/// ports uniquely, so a conflict there means that somebody bypassed it; external addresses are whatever people write.
/// </summary>
internal static class FrontendTable
{
    /// <summary>
    /// All claims in order: those of <paramref name="before"/> whose port is not <paramref name="gone"/>, and those of <paramref name="fresh"/>. When
    /// only endpoints changed, which is nearly always, the claims are the same but for their ports: then they are replaced where they are.
    /// </summary>
    public static FrontendClaim[] Sort(FrontendClaim[] before, HashSet<CompiledPort> gone, List<CompiledPort> fresh)
    {
        if (gone.Count == 0 && fresh.Count == 0)
            return before;
        if (ClaimTheSame(gone, fresh))
        {
            foreach (var port in fresh)
                for (var i = 0; i < port.Frontends.Length; i++)
                {
                    var claim = FrontendClaim.Of(port, i);
                    before[Array.BinarySearch(before, claim)] = claim;
                }
            return before;
        }
        var added = new List<FrontendClaim>();
        foreach (var port in fresh)
            for (var i = 0; i < port.Frontends.Length; i++)
                added.Add(FrontendClaim.Of(port, i));
        added.Sort();

        var merged = new List<FrontendClaim>(before.Length + added.Count);
        var next = 0;
        foreach (ref readonly var claim in before.AsSpan())
        {
            if (gone.Contains(claim.Port))
                continue;
            while (next < added.Count && added[next].CompareTo(claim) < 0)
                merged.Add(added[next++]);
            merged.Add(claim);
        }
        while (next < added.Count)
            merged.Add(added[next++]);
        return [.. merged];
    }

    private static bool ClaimTheSame(HashSet<CompiledPort> gone, List<CompiledPort> fresh)
    {
        if (gone.Count != fresh.Count)
            return false;
        var byName = gone.ToDictionary(p => p.Name);
        foreach (var port in fresh)
        {
            if (!byName.TryGetValue(port.Name, out var old) || old.Frontends.Length != port.Frontends.Length)
                return false;
            for (var i = 0; i < port.Frontends.Length; i++)
                if (port.Frontends[i].Key != old.Frontends[i].Key || port.Frontends[i].Kind != old.Frontends[i].Kind)
                    return false;
        }
        return true;
    }

    /// <summary>Those of the node's addresses that are cluster IPs of services as well, in order.</summary>
    public static ImmutableArray<Addr> ClusterIPs(FrontendClaim[] claims, ImmutableArray<Addr> nodeAddresses)
    {
        if (nodeAddresses.IsDefaultOrEmpty)
            return [];
        var found = ImmutableArray.CreateBuilder<Addr>();
        foreach (var address in nodeAddresses)
        {
            var (low, high) = (0, claims.Length);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (claims[middle].Frontend.Key.Addr.CompareTo(address) < 0)
                    low = middle + 1;
                else
                    high = middle;
            }
            if (low < claims.Length && claims[low].Frontend.Key.Addr == address && claims[low].IsMarker)
                found.Add(address);
        }
        return found.DrainToImmutable();
    }

    /// <summary>
    /// The claims that hold, in order; <paramref name="claims"/> itself when all do. At a cluster IP the node itself has nothing, even where one of its devices carries
    /// the address: NodePorts and hostPorts are not served there. Only of a hostPort that asked for that very address this is told.
    /// </summary>
    public static FrontendClaim[] Resolve(FrontendClaim[] claims, List<CompileIssue> issues)
    {
        List<FrontendClaim>? held = null;
        var conflicts = new Dictionary<(string Kind, ObjectName Name), IssueCollector>();
        for (int i = 1, winner = 0, address = 0; i < claims.Length; i++)
        {
            if (!claims[i].SameAddress(claims[address]))
                address = i;
            if (claims[address].IsMarker && claims[i].Frontend.Kind is FrontendKind.NodePort or FrontendKind.HostPort)
            {
                held ??= [.. claims.AsSpan(0, i)];
                if (HostPortCompiler.AskedFor(claims[i].Port.Name.Port, claims[i].Frontend.Key.Addr))
                    Report(conflicts, claims[i], claims[address]);
                continue;
            }
            if (!claims[i].SameTarget(claims[winner]))
                winner = i;
            if (claims[i].Port == claims[winner].Port)
            {
                held?.Add(claims[i]);
                continue;
            }
            held ??= [.. claims.AsSpan(0, i)];
            Report(conflicts, claims[i], claims[winner]);
        }
        foreach (var conflict in conflicts.Values)
            conflict.MoveTo(issues);
        return held?.ToArray() ?? claims;
    }

    private static void Report(Dictionary<(string Kind, ObjectName Name), IssueCollector> conflicts, in FrontendClaim loser, in FrontendClaim winner)
    {
        var (kind, name) = (loser.Frontend.Kind == FrontendKind.HostPort ? "Pod" : "Service", loser.Port.Name.Service);
        if (!conflicts.TryGetValue((kind, name), out var found))
            conflicts[(kind, name)] = found = new IssueCollector(kind, name, loser.Port.Uid);
        found.Add(IssueReason.FrontendConflict,
            $"port {IssueCollector.Quote(loser.Port.Name.Port)} wants {Wanted(loser.Frontend)}, "
            + $"which {IssueCollector.Quote(Shown(winner.Port.Name))} has; it is not served there");
    }

    private static string Wanted(in CompiledFrontend frontend) => frontend switch
    {
        { Flags: SvcFlags.Address } => $"the cluster IP {frontend.Key.Addr}",
        { Kind: FrontendKind.NodePort } => $"the node port {frontend.Key.Port}/{ProtocolText.Of(frontend.Key.Proto)}",
        { Key: { Addr: { IsIPv4: true } address } key } => $"{address}:{key.Port}/{ProtocolText.Of(key.Proto)}",
        _ => $"[{frontend.Key.Addr}]:{frontend.Key.Port}/{ProtocolText.Of(frontend.Key.Proto)}",
    };

    private static string Shown(in ServicePortName port) =>
        $"{port.Service}{(string.IsNullOrEmpty(port.Port) ? "" : ":" + port.Port)}/{ProtocolText.Of(port.Protocol)}";
}
