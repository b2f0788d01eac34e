using System.Globalization;
using System.Text;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>One Service on several nodes, for people.</summary>
internal static class ClusterServiceText
{
    private const string Differs = "  DIFFERS: ";

    public static string Of(ServiceComparison service, int width)
    {
        var text = new StringBuilder();
        var type = service.Type ?? "(the API has no such Service)";
        text.Append(CultureInfo.InvariantCulture, $"{service.Name}  {type}, on {Words.Count(service.Nodes.Count, "node")}\n");
        if (service.Frontends.Count == 0)
            text.Append("  no frontends (headless, ExternalName, another proxy's, or an issue)\n");
        foreach (var difference in service.OwnDifferences)
            text.Append(Words.Wrap(Differs, difference, width));
        foreach (var frontend in service.Frontends)
            Frontend(text, frontend, width);
        foreach (var issue in service.Issues)
        {
            var (first, nodes) = (issue.Items[0], NodeSet.Of(issue.Nodes, service.Nodes));
            text.Append('\n').Append(Words.Wrap("", $"{first.Reason} (on {nodes}): {first.Message}", width));
        }

        var count = service.Differences.Count;
        if (count > 0 || service.Nodes.Count > 1)
            text.Append('\n').Append(count == 0 ? "no differences" : Words.Count(count, "difference")).Append(" between nodes\n");
        return text.ToString();
    }

    private static void Frontend(StringBuilder text, FrontendComparison frontend, int width)
    {
        var port = frontend.PortName.Length > 0 ? $" port {frontend.PortName}" : "";
        text.Append(CultureInfo.InvariantCulture, $"\n{frontend.Title}{port}{frontend.Flags}\n");
        foreach (var difference in frontend.Differences)
            text.Append(Words.Wrap(Differs, difference, width));
        if (frontend.IsLocal && frontend.Nodes.Count > 1)
            text.Append("  each node leads to its own pods\n");
        text.Append(frontend.Backends.Count > 0 ? Table(frontend)
            : frontend.Drops ? "  no backends: dropped in silence\n" : "  no backends: refused\n");
    }

    /// <summary>Figures are sums of what the nodes have counted; a pod's name is known on its own node.</summary>
    private static string Table(FrontendComparison frontend)
    {
        var columns = new Columns("BACKEND", "POD", "NODE", "STATE", "ON NODES", ">CONNECTIONS", ">SENT", ">ANSWERED");
        foreach (var b in frontend.Backends)
        {
            var first = b.Items[0];
            columns.Add(
                ServiceText.End(first.Address, first.Port), Known(b, i => i.Pod), Known(b, i => i.Node), first.State,
                NodeSet.Of(b.Nodes, frontend.Nodes), $"{Sum(b, i => i.Connections)}",
                Words.Bytes(Sum(b, i => i.BytesTo)), Words.Bytes(Sum(b, i => i.BytesFrom)));
        }

        return columns.Render(indent: 2);
    }

    private static string Known(MergedEntry<BackendLine> backend, Func<BackendLine, string> name) =>
        backend.Items.Select(name).FirstOrDefault(n => n.Length > 0, "");

    private static ulong Sum(MergedEntry<BackendLine> backend, Func<BackendLine, ulong> figure) =>
        backend.Items.Aggregate(0ul, (sum, i) => sum + figure(i));
}
