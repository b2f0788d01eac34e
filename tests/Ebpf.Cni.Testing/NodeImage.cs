using Xunit;

namespace Ebpf.Cni.Testing;

/// <summary>
/// What a node is like, a line each: interfaces, addresses, qdiscs, filters, programs, routes, rules, permanent neighbours, settings,
/// files. Two are equal if nothing was left behind, and nothing of others is missing.
/// </summary>
public static class NodeImage
{
    public static readonly IReadOnlyList<string> Tools = ["ip", "tc", "bpftool", "sha256sum"];

    private const string Script =
        """
        set -eu
        cgroup=$1; shift
        ip -o link show | sed -e 's/^[0-9]*: /link /' -e 's/ qlen [0-9]*//'
        ip -o addr show | sed -e 's/^[0-9]*: /address /' -e 's/valid_lft.*//'
        tc qdisc show | sed -e 's/ refcnt [0-9]*//'
        for device in $(ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
            for direction in ingress egress; do
                tc filter show dev "$device" "$direction" | sed "s/^/filter $device $direction /"
            done
        done
        bpftool net show | grep prog_id | sed 's/^/program /' || true
        [ -z "$cgroup" ] || { [ -d "$cgroup" ]; bpftool cgroup show "$cgroup" | sed 's/^/hook /'; }
        for family in 4 6; do
            ip -$family route show table all | sed -e 's/^/route /' -e 's/ expires [0-9]*sec//'
            ip -$family rule show | sed 's/^/rule /'
            ip -$family neigh show nud permanent | sed 's/^/neighbour /'
        done
        find /proc/sys/net/ipv4 /proc/sys/net/ipv6 -type f -perm -u=r | while read -r setting; do
            echo "setting $setting $(cat "$setting" 2>/dev/null | tr '\n\t' '  ')"
        done
        for place in "$@"; do
            [ -e "$place" ] || continue
            find "$place" -printf 'entry %y %m %p\n'
            case "$place" in /sys/*) ;; *) find "$place" -type f -exec sha256sum {} + ;; esac
        done
        """;

    /// <summary>The command that prints it, to be run in the node's network and mount namespaces.</summary>
    /// <param name="cgroup">Whose hooks count; "": none.</param>
    /// <param name="places">Files and directories; those in a bpffs by their names alone.</param>
    public static string[] Command(string cgroup, params IEnumerable<string> places) => ["sh", "-c", Script, "sh", cgroup, .. places];

    /// <summary>What the command printed, in an order of its own.</summary>
    public static IReadOnlyList<string> Read(string output)
    {
        ArgumentNullException.ThrowIfNull(output);
        string[] lines =
            [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.TrimEnd()).Order(StringComparer.Ordinal)];
        Assert.Contains(lines, l => l.StartsWith("link lo", StringComparison.Ordinal));
        Assert.Contains(lines, l => l.StartsWith("setting /proc/sys/net/ipv4/ip_forward ", StringComparison.Ordinal));
        return lines;
    }

    /// <summary>Fails with all lines that differ.</summary>
    public static void AssertEqual(IEnumerable<string> before, IEnumerable<string> after)
    {
        var difference = Difference(before, after);
        Assert.True(difference.Length == 0, difference);
    }

    /// <summary>What one has and the other has not, both ways; empty if they are equal.</summary>
    public static string Difference(IEnumerable<string> before, IEnumerable<string> after)
    {
        var (was, now) = (before.ToList(), after.ToList());
        return string.Join('\n', was.Except(now).Select(l => $"- {l}").Concat(now.Except(was).Select(l => $"+ {l}")));
    }
}
