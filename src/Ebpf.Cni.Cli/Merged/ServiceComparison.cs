using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>One Service as several nodes hold it, and where they differ.</summary>
internal sealed record ServiceComparison
{
    /// <summary>NAMESPACE/NAME.</summary>
    public required string Name { get; init; }

    /// <summary>spec.type as most nodes know it; null if the API has no such Service.</summary>
    public required string? Type { get; init; }

    /// <summary>That know the Service.</summary>
    public required IReadOnlyList<string> Nodes { get; init; }

    public required IReadOnlyList<FrontendComparison> Frontends { get; init; }

    /// <summary>Issues of the Service, with the nodes that report them.</summary>
    public required IReadOnlyList<MergedEntry<IssueStatus>> Issues { get; init; }

    /// <summary>Differences that concern no frontend, a sentence each.</summary>
    public required IReadOnlyList<string> OwnDifferences { get; init; }

    /// <summary>All of them, a sentence each.</summary>
    public IReadOnlyList<string> Differences =>
        [.. OwnDifferences, .. Frontends.SelectMany(f => f.Differences.Select(d => $"{f.Title}: {d}"))];

    public static ServiceComparison Of(string name, IReadOnlyList<NodeAnswer<ServiceAnswer>> answers)
    {
        var known = answers.Where(a => a.Answer is not null).Select(a => (a.Node, Answer: a.Answer!)).ToList();
        var (nodes, all) = (known.Select(a => a.Node).ToList(), answers.Select(a => a.Node).ToList());
        var types = known.GroupBy(a => a.Answer.Type ?? "", a => a.Node).OrderByDescending(g => g.Count()).ToList();
        var issues = new Merge<IssueStatus, IssueStatus>(i => i);
        foreach (var (node, answer) in known)
            issues.Add(node, answer.Issues);
        var frontends = Compared(known, nodes);
        return new ServiceComparison
        {
            Name = name,
            Type = types.Select(t => t.Key).FirstOrDefault() is { Length: > 0 } type ? type : null,
            Nodes = nodes,
            Frontends = frontends,
            Issues = [.. issues.Entries],
            OwnDifferences =
            [
                .. answers.Where(a => a.Answer is null).Select(a => $"{a.Node} does not know the Service"),
                .. types.Count < 2 ? (string[])[] : [string.Join("; ", types.Select(t => $"{TypeOf(t.Key)} on {NodeSet.Of([.. t], all)}"))],
                .. MissingEverywhere(known, frontends, nodes),
            ],
        };
    }

    private static string TypeOf(string type) => type.Length > 0 ? $"type {type}" : "not in the API";

    private static List<FrontendComparison> Compared(IReadOnlyList<(string Node, ServiceAnswer Answer)> known, List<string> nodes)
    {
        var own = NodeAddresses.In(known);
        var merge = new Merge<(string, int, string, string), FrontendDetail>(own.KeyOf);
        foreach (var (node, answer) in known)
            merge.Add(node, answer.Frontends);
        var missing = known.SelectMany(a => a.Answer.Missing.Select(m => (a.Node, m))).ToHashSet();
        return
        [
            .. merge.Entries.Select(entry => FrontendComparison.Of(
                entry, nodes, own.Contains(entry.Items[0]), StatesOf(known, entry, own),
                node => missing.Contains((node, FrontendComparison.NameOf(entry.Items[0]))))),
        ];
    }

    /// <summary>States that are not ok; of a node's several addresses, each counts.</summary>
    private static List<(string Node, string State)> StatesOf(
        IReadOnlyList<(string Node, ServiceAnswer Answer)> known, MergedEntry<FrontendDetail> entry, NodeAddresses own)
    {
        var key = own.KeyOf(entry.Items[0]);
        return
        [
            .. known.SelectMany(a => a.Answer.Frontends.Select(f => (a.Node, Frontend: f)))
                .Where(f => f.Frontend.State != "ok" && own.KeyOf(f.Frontend) == key).Select(f => (f.Node, f.Frontend.State)).Distinct(),
        ];
    }

    /// <summary>Frontends that are missing in the kernel on every node that should have them.</summary>
    private static IEnumerable<string> MissingEverywhere(
        IReadOnlyList<(string Node, ServiceAnswer Answer)> known, List<FrontendComparison> frontends, List<string> nodes)
    {
        var shown = frontends.Where(f => !f.IsNodesOwn).Select(f => f.Name).ToHashSet();
        return known.SelectMany(a => a.Answer.Missing.Select(m => (a.Node, Frontend: m))).Where(m => !shown.Contains(m.Frontend))
            .GroupBy(m => m.Frontend, m => m.Node)
            .Select(g => $"{g.Key}: MISSING in the kernel on {NodeSet.Of([.. g], nodes)}");
    }
}
