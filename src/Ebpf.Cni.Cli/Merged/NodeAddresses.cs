using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>
/// Frontends at the nodes' own addresses (NodePorts, hostPorts). An answer does not tell them from others; but each is on one node
/// alone, and other nodes have the same port at addresses of theirs.
/// </summary>
internal sealed class NodeAddresses
{
    private readonly HashSet<(string, int, string, string)> _own;

    private NodeAddresses(HashSet<(string, int, string, string)> own) => _own = own;

    public static NodeAddresses In(IReadOnlyList<(string Node, ServiceAnswer Answer)> answers) => new(
    [
        .. answers.SelectMany(a => a.Answer.Frontends.Select(f => (a.Node, Frontend: f)))
            .GroupBy(f => Exact(f.Frontend)).Where(g => g.DistinctBy(f => f.Node).Count() == 1).Select(g => g.First())
            .GroupBy(f => (f.Frontend.Port, f.Frontend.Protocol, f.Frontend.Scope, Placeholder(f.Frontend)))
            .Where(g => g.DistinctBy(f => f.Node).Count() > 1).SelectMany(g => g.Select(f => Exact(f.Frontend))),
    ]);

    /// <summary>Instead of the address.</summary>
    public static string Placeholder(FrontendLine frontend) =>
        frontend.Address.Contains(':', StringComparison.Ordinal) ? "NODE-IPV6" : "NODE-IPV4";

    public bool Contains(FrontendLine frontend) => _own.Contains(Exact(frontend));

    /// <summary>The same for a frontend on all nodes, whichever address it has there.</summary>
    public (string, int, string, string) KeyOf(FrontendLine frontend) =>
        Contains(frontend) ? Exact(frontend) with { Item1 = Placeholder(frontend) } : Exact(frontend);

    private static (string, int, string, string) Exact(FrontendLine f) => (f.Address, f.Port, f.Protocol, f.Scope);
}
