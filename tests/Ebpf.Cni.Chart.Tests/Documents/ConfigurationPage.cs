using System.Globalization;
using System.Text;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Values;
using Ebpf.Cni.Dataplane;

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
            return page.Append(Sizes()).ToString();
        }
    }

    /// <summary>What the kernel charges for all tables, in MiB by the node's GiB: measured by a test of the dataplane that reads it here.</summary>
    private static readonly (int Memory, int Charged)[] Measured = [(4, 0), (16, 0), (64, 0), (256, 0)];

    private static string Sizes()
    {
        var section = new StringBuilder("""

            ## Sizes of tables

            Where a size is 0, the node's memory decides: MemTotal of /proc/meminfo, not a container's limit. A kernel keeps some of it for itself, so a fifth
            less still counts as the whole. Connections, flows and clients double with four times the memory; between two columns, at 8, 32 and 128 GiB, they are
            half as many again. Below 1 and above 256 GiB nothing changes any more.

            | node's memory | service addresses and ports | backends | TCP connections | other connections | sockets | pod addresses | affinity | source ranges | counted backends | charged at once |
            | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |

            """);
        foreach (var (memory, charged) in Measured)
        {
            var s = TableSizes.For((long)memory << 30);
            uint[] sizes = [s.Services, s.Backends, s.ConntrackTcp, s.ConntrackOther, s.SocketFlows, s.Endpoints, s.Affinity, s.SourceRanges, s.Stats];
            section.Append(CultureInfo.InvariantCulture, $"| {memory} GiB | {string.Join(" | ", sizes)} | {charged} MiB |\n");
        }
        return section.Append("""

            - *Charged at once* is what the kernel takes for the empty tables of one agent (`memlock` of the maps). Tables of connections, sockets, clients and backends
              are allocated whole. Service addresses, source ranges and `ipcache` entries are allocated as they come, some 100 bytes each: 30,000 Services take 6 MiB more.
            - `--external-source keep` adds a table of ways back (2 MiB at 4 GiB); `--socket-lb off` has no tables of sockets.
            - On 4 GiB everything stays below 64 MiB. 131,072 TCP connections, kube-proxy's least limit for nf_conntrack, would take 48 MiB of that, since an LRU table is
              allocated whole and nf_conntrack is not. So such a node has 65,536, which is Linux's own limit up to 4 GiB, and 131,072 begin at 16 GiB.
            - A connection to a Service that a socket hook translates has no entry among the connections: what counts is masqueraded, comes from outside, or is
              translated packet by packet.
            - Every cluster size fits on the smallest node: 30,000 Services of four endpoints in both families need 120,000 addresses and ports, and 240,000 backends.

            A changed size takes effect at the agent's next start. Every table grows in place, without a lost connection or service; for that moment both tables are charged.
            Tables that packets write also shrink in place, if they are less than half full by the new size. All others keep their size until a reboot, and a notice says so.

            """).ToString();
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
