using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Ipam;
using Ebpf.Cni.Compiler.Issues;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler.Routes;

/// <summary>Routes and the issues of nodes; valid as long as the nodes and the context are the same.</summary>
internal sealed record CompiledRoutes(
    ImmutableSortedDictionary<string, NodeSnapshot> Nodes, ImmutableArray<DesiredRoute> Routes, ImmutableArray<CompileIssue> Issues);

/// <summary>
/// Nodes → routes: each podCIDR of each other node, through that node's first InternalIP of the same family, which must be on
/// a layer-2 network shared with this node.
/// </summary>
internal static class RouteCompiler
{
    /// <summary>A podCIDR and where it is; no gateway for this node's own.</summary>
    private sealed record Claim(PodCidr Cidr, string Node, Addr? Gateway, IssueCollector Issues);

    public static CompiledRoutes Compile(ImmutableSortedDictionary<string, NodeSnapshot> nodes, NodeContext context)
    {
        var own = nodes.TryGetValue(context.NodeName, out var self) ? ReadAddresses(self, null) : [];
        var claims = new List<Claim>();
        var collectors = new List<IssueCollector>(nodes.Count);
        foreach (var (name, node) in nodes)
        {
            var issues = new IssueCollector("Node", new ObjectName("", name), node.Uid);
            collectors.Add(issues);
            ReadNode(name, node, context, own, claims, issues);
        }
        var routes = new List<DesiredRoute>();
        foreach (var claim in WithoutOverlaps(claims, context.NodeName))
            if (claim.Gateway is { } gateway)
                routes.Add(new DesiredRoute(claim.Cidr.ToIPNetwork(), gateway.ToIPAddress(), claim.Node));
        var found = new List<CompileIssue>();
        foreach (var issues in collectors)
            issues.MoveTo(found);
        return new CompiledRoutes(nodes, [.. routes], [.. found]);
    }

    private static void ReadNode(
        string name, NodeSnapshot node, NodeContext context, List<Addr> own, List<Claim> claims, IssueCollector issues)
    {
        var addresses = ReadAddresses(node, issues);
        var isSelf = name == context.NodeName;
        foreach (var text in node.PodCidrs.IsDefault ? [] : node.PodCidrs)
        {
            if (!PodCidr.TryParse(text, out var cidr) || AddrClass.Special(cidr.Network) is not null)
            {
                issues.Add(IssueReason.PodCidrInvalid, $"podCIDR {IssueCollector.Quote(text)} is not a range of unicast addresses; it is ignored");
                continue;
            }
            if (!context.Serves(cidr.IsIPv4))
                continue;
            var at = addresses.FindIndex(a => a.IsIPv4 == cidr.IsIPv4);
            if (isSelf)
                claims.Add(new Claim(cidr, name, null, issues));
            else if (at < 0)
                issues.Add(IssueReason.NodeAddressMissing,
                    $"podCIDR {cidr} has no route: the node has no {(cidr.IsIPv4 ? "IPv4" : "IPv6")} InternalIP");
            else if (own.Contains(addresses[at]))
                issues.Add(IssueReason.NodeAddressConflict, $"podCIDR {cidr} has no route: InternalIP {addresses[at]} is this node's own");
            else
                claims.Add(new Claim(cidr, name, addresses[at], issues));
        }
    }

    private static List<Addr> ReadAddresses(NodeSnapshot node, IssueCollector? issues)
    {
        var addresses = new List<Addr>();
        foreach (var text in node.InternalIPs.IsDefault ? [] : node.InternalIPs)
            if (AddrText.TryParse(text, out var address) && AddrClass.Special(address) is null)
                addresses.Add(address);
            else
                issues?.Add(IssueReason.NodeAddressInvalid, $"InternalIP {IssueCollector.Quote(text)} is not a unicast address; it is ignored");
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
                claim.Issues.Add(IssueReason.PodCidrOverlap, $"podCIDR {claim.Cidr} overlaps {winner.Cidr} of node {winner.Node}; it is ignored");
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
