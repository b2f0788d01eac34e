using Ebpf.Cni.Cli.Text;

namespace Ebpf.Cni.Cli.Merged;

/// <summary>A listing of several nodes: what is the same on some of them is one row, with their names.</summary>
internal static class MergedListing
{
    public static string Of<T>(Listing<T> listing, IReadOnlyList<NodeAnswer<T>> answers) where T : class
    {
        var left = Array.FindIndex(listing.Headings, h => h.TrimStart('>') == listing.NodesOwn);
        var merge = new Merge<string, string[]>(cells => string.Join('\0', cells));
        var (total, shown, footers) = (0, 0, "");
        foreach (var (node, answer) in answers)
        {
            if (answer is null)
                continue;
            var rows = listing.Rows(answer).Select(Kept).ToList();
            (total, shown) = (total + listing.Total(answer), shown + rows.Count);
            merge.Add(node, rows);
            footers += listing.Footer is null ? "" : $"{node}: {listing.Footer(answer)}\n";
        }

        var nodes = answers.Select(a => a.Node).ToList();
        var merged = merge.Entries.Select(e => (string[])[NodeSet.Of(e.Nodes, nodes), .. e.Items[0]]).ToList();
        var table = total == 0 ? $"no {listing.Things}\n" : listing.Table(["ON NODES", .. Kept(listing.Headings)], merged, total - shown);
        return table + footers;

        string[] Kept(string[] cells) => left < 0 ? cells : [.. cells[..left], .. cells[(left + 1)..]];
    }
}
