using System.Globalization;
using System.Text.RegularExpressions;

namespace Ebpf.Cni.Sandbox.Demo;

/// <summary>How full an agent's kernel tables are, read from its metrics.</summary>
internal static partial class AgentTables
{
    public static IReadOnlyList<(string Table, long Entries, long Size)> Read(string metrics)
    {
        var sizes = Values(metrics, "ebpf_cni_table_size");
        return [.. Values(metrics, "ebpf_cni_table_entries").OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .Select(pair => (pair.Key, pair.Value, sizes.GetValueOrDefault(pair.Key)))];
    }

    private static Dictionary<string, long> Values(string metrics, string name)
    {
        var values = new Dictionary<string, long>();
        foreach (Match match in Sample().Matches(metrics))
            if (match.Groups["name"].Value == name)
                values[match.Groups["table"].Value] = (long)double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture);
        return values;
    }

    [GeneratedRegex("""^(?<name>\w+)\{table="(?<table>[^"]*)"\} (?<value>\S+)""", RegexOptions.Multiline)]
    private static partial Regex Sample();
}
