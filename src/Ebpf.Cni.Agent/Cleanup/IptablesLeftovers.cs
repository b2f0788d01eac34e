using System.Text;

namespace Ebpf.Cni.Agent.Cleanup;

/// <summary>
/// What kube-proxy has left in the tables of iptables: chains by its names, and the rules of other chains that lead into them. Pure:
/// from the text of iptables-save to the input of iptables-restore --noflush.
/// </summary>
/// <param name="Restore">"" when there is nothing to remove.</param>
/// <param name="Removed">table/chain, and the rules elsewhere, for the log.</param>
internal sealed record IptablesLeftovers(string Restore, IReadOnlyList<string> Removed)
{
    /// <summary>
    /// pkg/proxy/iptables/proxier.go and pkg/proxy/ipvs/proxier.go, older versions' too. Others have chains called KUBE-... as well: the
    /// kubelet's guard the node's loopback, a policy controller's (KUBE-NWPLCY-, KUBE-POD-FW-, KUBE-ROUTER-) hold its policies.
    /// </summary>
    private static readonly string[] Names =
    [
        "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-FORWARD", "KUBE-PROXY-FIREWALL",
            "KUBE-PROXY-CANARY",
        "KUBE-MARK-MASQ", "KUBE-MARK-DROP", "KUBE-LOAD-BALANCER", "KUBE-NODE-PORT", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER",
        "KUBE-IPVS-OUT-FILTER",
    ];

    private static readonly string[] Prefixes = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-"];

    private static readonly string[] Tables = ["nat", "filter", "mangle"];

    public static IptablesLeftovers In(string saved)
    {
        var restore = new StringBuilder();
        var removed = new List<string>();
        foreach (var (table, lines) in Split(saved))
        {
            var chains = lines.Where(l => l.StartsWith(':')).Select(l => l[1..].Split(' ')[0]).Where(IsProxys).ToList();
            var rules = lines.Where(l => l.StartsWith("-A ", StringComparison.Ordinal) && !IsProxys(ChainOf(l)) && LeadsToProxys(l))
                .ToList();
            if (chains.Count + rules.Count == 0 || !Tables.Contains(table))
                continue;
            restore.Append('*').Append(table).Append('\n');
            foreach (var rule in rules)
                restore.Append("-D").Append(rule.AsSpan(2)).Append('\n');
            // They lead into each other: all are emptied before the first goes.
            foreach (var chain in chains)
                restore.Append("-F ").Append(chain).Append('\n');
            foreach (var chain in chains)
                restore.Append("-X ").Append(chain).Append('\n');
            restore.Append("COMMIT\n");
            removed.AddRange(rules.Select(r => $"{table}: {r}"));
            removed.AddRange(chains.Select(c => $"{table}/{c}"));
        }

        return new IptablesLeftovers(restore.ToString(), removed);
    }

    private static IEnumerable<(string Table, List<string> Lines)> Split(string saved)
    {
        var (table, lines) = ("", new List<string>());
        foreach (var line in saved.Split('\n').Select(l => l.TrimEnd('\r')))
        {
            if (line.StartsWith('*'))
                (table, lines) = (line[1..], []);
            else if (line == "COMMIT" && table.Length > 0)
                yield return (table, lines);
            else
                lines.Add(line);
        }
    }

    private static bool IsProxys(string chain) => Names.Contains(chain) || Prefixes.Any(p => chain.StartsWith(p, StringComparison.Ordinal));

    private static string ChainOf(string rule) => rule.Split(' ', 3)[1];

    /// <summary>The target is the word after -j or -g; a comment that has these words is one quoted word, or has no space in it.</summary>
    private static bool LeadsToProxys(string rule)
    {
        var quoted = false;
        var words = new List<string>();
        var word = new StringBuilder();
        for (var i = 0; i < rule.Length; i++)
        {
            if (rule[i] == '\\' && i + 1 < rule.Length)
                word.Append(rule[++i]);
            else if (rule[i] == '"')
                quoted = !quoted;
            else if (rule[i] == ' ' && !quoted)
                (_, word) = (Add(), new StringBuilder());
            else
                word.Append(rule[i]);
        }

        Add();
        for (var i = 0; i + 1 < words.Count; i++)
        {
            if (words[i] == "--comment")
                i++;
            else if (words[i] is "-j" or "-g" && IsProxys(words[i + 1]))
                return true;
        }

        return false;

        bool Add()
        {
            words.Add(word.ToString());
            return true;
        }
    }
}
