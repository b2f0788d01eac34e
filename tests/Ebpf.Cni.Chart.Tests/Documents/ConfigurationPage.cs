using System.Globalization;
using System.Text;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Chart.Tests.Values;
using Ebpf.Cni.Dataplane.Options;

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

                The agent reads each option from the command line (`--mtu 1400` or `--mtu=1400`), the environment (`EBPF_CNI_MTU`), or
                the JSON file of `--config` (`"mtu"`). The command line wins over the environment, the environment over the file. All
                errors are reported together, by name, before anything is changed.

                In a cluster the options are values of the Helm chart, by their names in the JSON file: `--set agent.mtu=1400`, or
                `agent: {mtu: 1400}` in a values file. An upgrade needs all values again ([upgrade.md](upgrade.md#2-save-the-values)).
                The chart fixes some options, as the table shows.

                | option | environment | file, chart | value | default | effect |
                | --- | --- | --- | --- | --- | --- |

                """);
            foreach (var option in OptionTable.All)
                page.Append(Row(option)).Append('\n');
            return page.Append(Sizes()).Append(ApiServer).ToString();
        }
    }

    /// <summary>
    /// What the kernel charges for all tables, in MiB by the node's GiB: a test of the dataplane measures it and compares the page.
    /// </summary>
    private static readonly (int Memory, int Charged)[] Measured = [(4, 56), (16, 111), (64, 212), (256, 388)];

    private const string ApiServer = """

        ## Connection to the API server

        In a pod the agent uses the service account: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT` (the chart's
        `apiServer.host`), and the mounted CA and token. Elsewhere it uses the current context of `--kubeconfig`.

        **Files are read again.** A renewed client certificate, a rotated CA, a kubeconfig with new credentials and a rotated
        token need no restart. The agent reads them:

        - every minute, also during open connections;
        - at once after a 401 and after a failed connection. If a file has changed, the request is repeated once.

        Later connections use the new files. Watches on older ones end within ten minutes. A certificate without its key
        changes nothing until both exist. The server's address in a kubeconfig is read at start only.

        **Proxies.** In a pod the agent uses none, for any environment: no proxy outside knows the API server's address inside
        the cluster. With `--kubeconfig`, `HTTPS_PROXY` (`HTTP_PROXY` for an http address) and `NO_PROXY`, or their lower-case
        forms, count as for kubectl:

        | `NO_PROXY` | connected directly |
        | --- | --- |
        | `example` | `example` and all names below it |
        | `.example`, `*.example` | the names below it alone |
        | `10.0.0.1`, `[fd00::1]` | this address |
        | `172.30.0.0/16` | addresses of the range; not names |
        | any of these but a range, with `:6443` | the same, on this port only |
        | `*` | everything |

        Loopback is always connected directly. Proxies may be http, https or socks5.

        """;

    private static string Sizes()
    {
        var section = new StringBuilder("""

            ## Sizes of tables

            The node's memory sets a size of 0: `MemTotal` of /proc/meminfo, not a container's limit. A kernel keeps some memory for
            itself, so a node with a fifth less counts as the next size up. Tables of connections, flows and clients double with
            four times the memory. At 8, 32 and 128 GiB they are half as large again as in the row above. Below 1 GiB and above
            256 GiB sizes stay the same.

            | node's memory | service addresses and ports | backends | TCP connections | other connections | socket flows | pod addresses | affinity | source ranges | counted backends | charged |
            | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |

            """);
        foreach (var (memory, charged) in Measured)
        {
            var s = TableSizes.For((long)memory << 30);
            uint[] sizes = [s.Services, s.Backends, s.ConntrackTcp, s.ConntrackOther, s.SocketFlows, s.Endpoints, s.Affinity,
                s.SourceRanges, s.Stats];
            section.Append(CultureInfo.InvariantCulture, $"| {memory} GiB | {string.Join(" | ", sizes)} | {charged} MiB |\n");
        }
        return section.Append("""

            - *Charged* is `memlock` of all maps that an agent creates, empty. Tables of backends, connections, flows, clients and
              pods are allocated whole, and counted whole. Service addresses, source ranges and prefixes are allocated on write,
              some 100 bytes each, and not counted: 30,000 Services with one port in one family add 6 MiB.
            - `--external-source keep` adds a table with a quarter as many entries as TCP connections: 2 MiB at 4 GiB.
              `--socket-lb off` has no tables for sockets.
            - At 4 GiB the limit is 64 MiB. kube-proxy's minimum for nf_conntrack, 131,072 connections, would take 48 MiB for TCP
              alone: an LRU table is allocated whole, nf_conntrack is not. So such a node tracks 65,536 TCP connections, Linux's
              own limit up to 4 GiB, and 131,072 begin at 16 GiB.
            - Connections through a socket hook are not tracked. Tracked connections are masqueraded, come from outside, or are
              translated per packet.
            - The smallest node serves 30,000 Services of four endpoints in both families: 120,000 addresses and ports, 240,000
              backends.

            A changed size takes effect at the agent's next start. Every table grows in place, without a lost connection; both
            tables are charged for some seconds. Tables that packets write also shrink in place, if their content fills at most
            half of the new size. The rest keep their size until a reboot, and a notice in the status names them.

            """).ToString();
    }

    private static string Row(OptionDefinition option)
    {
        var chart = FixedOptions.Reasons.TryGetValue(option.Name, out var reason)
            ? $"`{option.JsonName}`; in the chart: {reason}" : $"`agent.{option.JsonName}`";
        return $"| `{option.Switch}` | `{option.EnvironmentVariable}` | {chart} | `{Escaped(option.Value)}` | {Default(option)} | "
            + $"{Escaped(option.Help)} |";
    }

    private static string Escaped(string text) => text.Replace("|", "\\|", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal);

    private static string Default(OptionDefinition option) =>
        option.Default.StartsWith(AppContext.BaseDirectory, StringComparison.Ordinal)
            ? $"`{option.Default[AppContext.BaseDirectory.Length..]}` beside the agent"
        : option.Default.Length > 0 ? $"`{option.Default}`"
        : "none";
}
