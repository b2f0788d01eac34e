using System.Text;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Values;

namespace Ebpf.Cni.Chart.Tests.Documents;

/// <summary>docs/configuration.md, from the table of options.</summary>
internal static class ConfigurationPage
{
    public static string Text
    {
        get
        {
            var page = new StringBuilder("""
                # Options of the agent

                <!-- Written by a test from OptionTable: UPDATE_GOLDEN=1 scripts/test.sh Chart -->

                Every option can be given on the command line (`--mtu 1400` or `--mtu=1400`), in the environment (`EBPF_CNI_MTU`), or in a JSON file that `--config` names
                (`"mtu"`). The command line wins over the environment, the environment over the file. What is wrong is told all at once, by name, and nothing is touched.

                In a cluster they are values of the Helm chart, by the names of the JSON file: `--set agent.mtu=1400`, or `agent: {mtu: 1400}` in a values file ([install.md](install.md#upgrading): an upgrade needs all values again). Some are fixed by the chart; the table says how.

                | option | environment | file, chart | value | default | what it does |
                | --- | --- | --- | --- | --- | --- |

                """);
            foreach (var option in OptionTable.All)
                page.Append(Row(option)).Append('\n');
            return page.ToString();
        }
    }

    private static string Row(OptionDefinition option)
    {
        var chart = FixedOptions.Reasons.TryGetValue(option.Name, out var reason) ? $"`{option.JsonName}`; in the chart: {reason}" : $"`agent.{option.JsonName}`";
        return $"| `{option.Switch}` | `{option.EnvironmentVariable}` | {chart} | `{Escaped(option.Value)}` | {Default(option)} | {Escaped(option.Help)} |";
    }

    private static string Escaped(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal);

    private static string Default(OptionDefinition option) =>
        option.Default.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal) ? $"`{option.Default[AppContext.BaseDirectory.Length..]}` beside the agent"
        : option.Default.Length > 0 ? $"`{option.Default}`"
        : "none";
}
