using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>One frontend as several nodes hold it.</summary>
internal sealed record FrontendComparison
{
    /// <summary>ADDRESS:PORT/PROTOCOL SCOPE, as an agent names one that is missing.</summary>
    public required string Name { get; init; }

    /// <summary>The same for people, with NODE-IPV4 or NODE-IPV6 instead of the nodes' own addresses.</summary>
    public required string Title { get; init; }

    public required string PortName { get; init; }

    /// <summary>It is at each node's own address.</summary>
    public required bool IsNodesOwn { get; init; }

    /// <summary>Each node leads to its own pods, by a traffic policy: their backends cannot be compared.</summary>
    public required bool IsLocal { get; init; }

    /// <summary>", flag, flag" as most nodes have them; "" without.</summary>
    public required string Flags { get; init; }

    /// <summary>Without backends it is silent instead of refusing.</summary>
    public required bool Drops { get; init; }

    /// <summary>That have it.</summary>
    public required IReadOnlyList<string> Nodes { get; init; }

    public required IReadOnlyList<MergedEntry<BackendLine>> Backends { get; init; }

    /// <summary>Where the nodes differ, a sentence each.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    public static string NameOf(FrontendLine frontend) => $"{ServiceText.FrontendOf(frontend)} {frontend.Scope}";

    /// <param name="entry">The frontend on the nodes that have it.</param>
    /// <param name="nodes">That should have it.</param>
    /// <param name="isNodesOwn">It is at each node's own address.</param>
    /// <param name="states">Nodes on which it is not ok.</param>
    /// <param name="isMissing">The node's agent misses it in the kernel.</param>
    public static FrontendComparison Of(
        MergedEntry<FrontendDetail> entry, IReadOnlyList<string> nodes, bool isNodesOwn,
        IReadOnlyList<(string Node, string State)> states, Func<string, bool> isMissing)
    {
        var first = entry.Items[0];
        var local = IsNodeLocal(entry.Items);
        var backends = new Merge<(string, int, string, bool), BackendLine>(b => (b.Address, b.Port, b.State, b.Tail));
        for (var i = 0; i < entry.Nodes.Count; i++)
            backends.Add(entry.Nodes[i], entry.Items[i].Served);
        var flags = entry.Nodes.Zip(entry.Items, (node, f) => (Node: node, Flags: FlagsOf(f, local)))
            .GroupBy(f => f.Flags, f => f.Node).OrderByDescending(g => g.Count()).ToList();
        return new FrontendComparison
        {
            Name = NameOf(first),
            Title = isNodesOwn ? $"{NodeAddresses.Placeholder(first)}:{first.Port}/{first.Protocol} {first.Scope}" : NameOf(first),
            PortName = first.PortName,
            IsNodesOwn = isNodesOwn,
            IsLocal = local,
            Flags = flags[0].Key,
            Drops = first.Flags.Contains("dropEmpty"),
            Nodes = entry.Nodes,
            Backends = [.. backends.Entries],
            Differences =
            [
                .. nodes.Except(entry.Nodes).Select(node => isMissing(node) ? $"MISSING in the kernel on {node}" : $"absent on {node}"),
                .. states.GroupBy(s => s.State, s => s.Node).Select(g => $"{ServiceText.StateOf(g.Key)} (on {On(g)})"),
                .. flags.Count < 2 ? (string[])[] : [string.Join("; ", flags.Select(g => $"{Named(g.Key)} on {On(g)}"))],
                .. local ? [] : backends.Entries.Where(b => b.Nodes.Count < entry.Nodes.Count).Select(b => Difference(b, entry.Nodes)),
            ],
        };

        string On(IEnumerable<string> some) => NodeSet.Of([.. some], entry.Nodes);

        static string Named(string flags) => flags.Length > 0 ? flags[2..] : "no flags";
    }

    private static string Difference(MergedEntry<BackendLine> backend, IReadOnlyList<string> nodes)
    {
        var first = backend.Items[0];
        return $"{ServiceText.End(first.Address, first.Port)} is {first.State} on {NodeSet.Of(backend.Nodes, nodes)}";
    }

    /// <summary>
    /// Local pods alone on every node. A node without one says that it drops, which tells it from a node that has lost them.
    /// </summary>
    private static bool IsNodeLocal(IReadOnlyList<FrontendDetail> frontends) =>
        frontends.Any(f => f.Served.Count > 0)
        && frontends.All(f => f.Served.Count > 0 ? f.Served.All(b => b.Local) : f.Flags.Contains("dropEmpty"));

    private static string FlagsOf(FrontendDetail frontend, bool local) =>
        ServiceText.FlagsOf(local ? frontend with { Flags = [.. frontend.Flags.Where(f => f != "dropEmpty")] } : frontend);
}
