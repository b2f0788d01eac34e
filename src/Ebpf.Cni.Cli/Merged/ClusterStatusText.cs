using System.Text;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>Several nodes at a glance: a line for each, what keeps one from being ready, settings that differ, issues.</summary>
internal static class ClusterStatusText
{
    private const int IssuesShown = 10, LinesEach = 3;

    public static string Of(IReadOnlyList<NodeAnswer<StatusAnswer>> answers, int width)
    {
        var known = answers.Where(a => a.Answer is not null).Select(a => (a.Node, Status: a.Answer!)).ToList();
        var text = new StringBuilder(Table(known));
        foreach (var (node, status) in known.Where(a => !a.Status.Ready))
            text.Append('\n').Append(Words.Wrap($"{node} is not ready: ", string.Join("; ", status.NotReady), width, LinesEach));
        var nodes = known.Select(a => a.Node).ToList();
        Section(text, "Settings that differ between nodes", [.. Settings(known, nodes)], width);
        var issues = Issues(known, nodes);
        var cut = issues.Count > IssuesShown ? $" ({IssuesShown} of {issues.Count}; -o json has all)" : "";
        Section(text, $"Issues{cut}", [.. issues.Take(IssuesShown)], width);
        return text.ToString();
    }

    private static string Table(IReadOnlyList<(string Node, StatusAnswer Status)> known)
    {
        var columns = new Columns(
            "NODE", "READY", "VERSION", "KERNEL", ">UP", ">SERVICES", ">BACKENDS", ">PODS", ">CONNECTIONS", ">LAST SYNC",
            ">DROPS", ">ISSUES", ">ERRORS");
        foreach (var (node, s) in known)
        {
            columns.Add(
                node, s.Ready ? "yes" : "no", Words.Version(s.Version), s.Kernel, Words.Duration(s.UptimeSeconds),
                $"{s.Counts.Services}", $"{s.Counts.Backends}", $"{s.Counts.Endpoints}", $"{s.Counts.Connections}",
                s.Sync.SinceSeconds is { } since ? Words.Duration(since) : "never",
                $"{s.Drops.Aggregate(0ul, (sum, d) => sum + d.Packets)}", $"{s.Issues.Count}", $"{s.Errors.Count}");
        }

        return columns.Render();
    }

    private static IEnumerable<string> Settings(IReadOnlyList<(string Node, StatusAnswer Status)> known, List<string> nodes)
    {
        (string Name, Func<ModeStatus, string> Value)[] settings =
        [
            ("cni", m => m.Cni), ("socket-lb", m => m.SocketLb), ("routing", m => m.Routing),
            ("masquerade", m => m.Masquerade ? "on" : "off"), ("external source", m => m.ExternalSource), ("pods by", m => m.PodAttachment),
        ];
        foreach (var (name, value) in settings)
        {
            var groups = known.GroupBy(a => value(a.Status.Mode), a => a.Node).ToList();
            if (groups.Count > 1)
                yield return $"{name}: {string.Join("; ", groups.Select(g => $"{g.Key} on {NodeSet.Of([.. g], nodes)}"))}";
        }
    }

    private static List<string> Issues(IReadOnlyList<(string Node, StatusAnswer Status)> known, List<string> nodes)
    {
        var merge = new Merge<IssueStatus, IssueStatus>(i => i);
        foreach (var (node, status) in known)
            merge.Add(node, status.Issues);
        return [.. merge.Entries.Select(e => Sentence(e.Items[0], NodeSet.Of(e.Nodes, nodes)))];

        static string Sentence(IssueStatus issue, string on) => $"{issue.Kind} {issue.Name} (on {on}): {issue.Reason}: {issue.Message}";
    }

    private static void Section(StringBuilder text, string heading, IReadOnlyList<string> sentences, int width)
    {
        if (sentences.Count == 0)
            return;
        text.Append('\n').Append(heading).Append(":\n");
        foreach (var sentence in sentences)
            text.Append(Words.Wrap("  ", sentence, width, LinesEach));
    }
}
