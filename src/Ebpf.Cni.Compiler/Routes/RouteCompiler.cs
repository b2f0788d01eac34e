using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Routes;

/// <summary>Routes and the issues of nodes; valid as long as the nodes and the context are the same.</summary>
/// <param name="Nodes">What they were compiled of.</param>
/// <param name="Routes">To other nodes' pods.</param>
/// <param name="Ranges">The podCIDRs that count, in order, none overlapping another; with the address that their tunnel leads to.</param>
/// <param name="Addresses">Nodes' InternalIPs, likewise.</param>
/// <param name="Issues">Of the nodes.</param>
internal sealed record CompiledRoutes(
    ImmutableSortedDictionary<string, NodeSnapshot> Nodes, ImmutableArray<DesiredRoute> Routes,
    ImmutableArray<(PodCidr Range, Addr? Tunnel)> Ranges,
    IReadOnlyDictionary<Addr, Addr?> Addresses, ImmutableArray<CompileIssue> Issues);

/// <summary>Nodes → routes: each podCIDR of each other node, by its <see cref="PeerRoute"/>.</summary>
internal static class RouteCompiler
{
    /// <summary>A podCIDR and its route; none to this node's own.</summary>
    private sealed record Claim(PodCidr Cidr, string Node, PeerRoute? Route, IssueCollector Issues);

    public static CompiledRoutes Compile(ImmutableSortedDictionary<string, NodeSnapshot> nodes, NodeContext context)
    {
        var own = OwnAddresses(nodes, context);
        // own first: no other node can claim them
        var addresses = own.Distinct().ToDictionary(a => a, _ => (Addr?)null);
        var claims = new List<Claim>();
        var collectors = new List<IssueCollector>(nodes.Count);
        foreach (var (name, node) in nodes)
        {
            var issues = new IssueCollector("Node", new ObjectName("", name), node.Uid);
            collectors.Add(issues);
            ReadNode(name, node, context, own, claims, addresses, issues);
        }
        var kept = WithoutThoseThatHoldNodes(WithoutOverlaps(claims, context.NodeName), addresses.Keys);
        var routes = kept.Where(c => c.Route is not null)
            .Select(c => new DesiredRoute(c.Cidr.ToIPNetwork(), c.Route!.Value.Gateway?.ToIPAddress(), c.Node));
        var found = new List<CompileIssue>();
        foreach (var issues in collectors)
            issues.MoveTo(found);
        return new CompiledRoutes(nodes, [.. routes], [.. kept.Select(c => (c.Cidr, c.Route?.Tunnel))], addresses, [.. found]);
    }

    private static List<Addr> OwnAddresses(ImmutableSortedDictionary<string, NodeSnapshot> nodes, NodeContext context)
    {
        if (!context.Routing.InternalIPs.IsDefaultOrEmpty)
            return [.. context.Routing.InternalIPs];
        return nodes.TryGetValue(context.NodeName, out var self) ? ReadAddresses(self, null) : [];
    }

    private static void ReadNode(
        string name, NodeSnapshot node, NodeContext context, List<Addr> own, List<Claim> claims, Dictionary<Addr, Addr?> known,
        IssueCollector issues)
    {
        var addresses = ReadAddresses(node, issues);
        if (name == context.NodeName)
        {
            claims.AddRange(ReadRanges(node, context, issues).Select(r => new Claim(r, name, null, issues)));
            return;
        }
        var perFamily = new[]
        {
            PeerRoute.Of(context, own, name, addresses, ipv4: false), PeerRoute.Of(context, own, name, addresses, ipv4: true),
        };
        foreach (var address in addresses)
            if (context.Serves(address.IsIPv4))
                known.TryAdd(address, perFamily[address.IsIPv4 ? 1 : 0].Tunnel);
        foreach (var range in ReadRanges(node, context, issues))
        {
            var route = perFamily[range.IsIPv4 ? 1 : 0];
            if (route.Reason is { } reason)
                issues.Add(reason, $"podCIDR {range} has no route: {route.Cause}");
            else
                claims.Add(new Claim(range, name, route == default ? null : route, issues));
        }
    }

    private static IEnumerable<PodCidr> ReadRanges(NodeSnapshot node, NodeContext context, IssueCollector issues)
    {
        foreach (var text in node.PodCidrs.IsDefault ? [] : node.PodCidrs)
            if (!PodCidr.TryParse(text, out var range) || AddrClass.Special(range.Network) is not null)
                issues.Add(IssueReason.PodCidrInvalid,
                    $"podCIDR {IssueCollector.Quote(text)} is not a range of unicast addresses; it is ignored");
            else if (context.Serves(range.IsIPv4))
                yield return range;
    }

    /// <summary>What is sent to such a node, tunnelled packets included, would be led into the tunnel.</summary>
    private static List<Claim> WithoutThoseThatHoldNodes(List<Claim> claims, IEnumerable<Addr> nodeAddresses)
    {
        Addr[] addresses = [.. nodeAddresses.Order()];
        return claims.ConvertAll(claim =>
        {
            if (claim.Route?.Tunnel is null || FirstIn(claim.Cidr, addresses) is not { } inside)
                return claim;
            claim.Issues.Add(IssueReason.PodCidrHoldsNode, $"podCIDR {claim.Cidr} has no route: InternalIP {inside} of a node lies in it");
            return claim with { Route = null };
        });
    }

    private static Addr? FirstIn(PodCidr range, Addr[] sorted)
    {
        var at = Array.BinarySearch(sorted, range.Network);
        at = at < 0 ? ~at : at;
        return at < sorted.Length && range.Contains(sorted[at]) ? sorted[at] : null;
    }

    private static List<Addr> ReadAddresses(NodeSnapshot node, IssueCollector? issues)
    {
        var addresses = new List<Addr>();
        foreach (var text in node.InternalIPs.IsDefault ? [] : node.InternalIPs)
            if (AddrText.TryParse(text, out var address) && AddrClass.Special(address) is null)
                addresses.Add(address);
            else
                issues?.Add(IssueReason.NodeAddressInvalid,
                    $"InternalIP {IssueCollector.Quote(text)} is not a unicast address; it is ignored");
        return addresses;
    }

    /// <summary>
    /// The claims in the order of ranges, without those that overlap one with precedence. Ranges either nest or are apart, so in this
    /// order the ones that overlap stand together behind the widest: only inside such a group everyone is compared with everyone.
    /// </summary>
    private static List<Claim> WithoutOverlaps(List<Claim> claims, string self)
    {
        claims.Sort((a, b) => a.Cidr.CompareTo(b.Cidr) is var c && c != 0 ? c : ByPrecedence(a, b, self));
        var kept = new List<Claim>(claims.Count);
        for (int start = 0, end; start < claims.Count; start = end)
        {
            for (end = start + 1; end < claims.Count && claims[start].Cidr.Overlaps(claims[end].Cidr);)
                end++;
            if (end == start + 1)
                kept.Add(claims[start]);
            else
                KeepWinners(claims[start..end], self, kept);
        }
        return kept;
    }

    private static void KeepWinners(List<Claim> group, string self, List<Claim> kept)
    {
        var winners = new List<Claim>();
        foreach (var claim in group.Order(Comparer<Claim>.Create((a, b) => ByPrecedence(a, b, self))))
        {
            var winner = winners.Find(w => w.Cidr.Overlaps(claim.Cidr));
            if (winner is null)
                winners.Add(claim);
            else
                claim.Issues.Add(IssueReason.PodCidrOverlap,
                    $"podCIDR {claim.Cidr} overlaps {winner.Cidr} of node {winner.Node}; it is ignored");
        }
        kept.AddRange(winners.OrderBy(w => w.Cidr));
    }

    /// <summary>This node's own ranges come first: its pods are there. Then by node name.</summary>
    private static int ByPrecedence(Claim a, Claim b, string self)
    {
        var c = (b.Node == self).CompareTo(a.Node == self);
        if (c == 0)
            c = string.CompareOrdinal(a.Node, b.Node);
        return c != 0 ? c : a.Cidr.CompareTo(b.Cidr);
    }
}
