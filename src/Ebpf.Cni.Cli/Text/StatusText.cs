using System.Globalization;
using System.Text;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Text;

/// <summary>The node on one screen: long lists are cut, and -o json has all of them.</summary>
internal static class StatusText
{
    private const int DropsShown = 4, IssuesShown = 3, ErrorsShown = 4, NoticesShown = 2, LinesEach = 2, TwoTablesWidth = 90;

    private const string Indent = "           ";

    /// <param name="s">The agent's answer.</param>
    /// <param name="cliVersion">Printed where it is not the agent's.</param>
    /// <param name="width">Of the screen.</param>
    public static string Of(StatusAnswer s, string cliVersion, int width)
    {
        var text = new StringBuilder();
        var other = Words.Release(cliVersion) == Words.Release(s.Version) ? "" : $" (this ecni is {Words.Version(cliVersion)})";
        Line("Agent", $"{Words.Version(s.Version)} on Linux {s.Kernel}, node {s.Node}, up {Words.Duration(s.UptimeSeconds)}{other}");
        Line("Ready", s.Ready ? "yes" : $"no: {string.Join("; ", s.NotReady)}");
        Line("Mode", ModeOf(s.Mode));
        Line("Node", Listed(s.Network.Addresses));
        Line("PodCIDRs", Listed(s.Network.PodCidrs) + string.Concat(s.Network.PodAddresses.Select(Used)));
        Line("Uplinks", UplinksOf(s.Network));
        foreach (var unfit in s.Network.Unfit)
            text.Append(Words.Wrap(Indent + "not: ", unfit, width, LinesEach));
        Line("Services", CountsOf(s.Counts));
        Line("Last sync", SyncOf(s.Sync));
        Line("API", ApiOf(s.Sync));
        var present = s.Features.Where(f => f.Present).Select(f => f.Name);
        Line("Kernel", s.Features.Count == 0 ? "not known yet" : "has " + Listed([.. present]));
        foreach (var missing in s.Features.Where(f => !f.Present))
            text.Append(Words.Wrap(Indent, $"no {missing.Name}: {missing.AbsenceCosts}", width, LinesEach));
        Some("Notices", s.Notices, NoticesShown, n => n);
        text.Append(TablesOf(s.Tables, width));
        Some("Drops", s.Drops, DropsShown, d => string.Create(CultureInfo.InvariantCulture, $"{d.Packets} {d.Reason} at {d.Hook}"));
        Some("Issues", s.Issues, IssuesShown, i => $"{i.Kind} {i.Name}: {i.Reason}: {i.Message}");
        Some("Last errors", s.Errors, ErrorsShown, ErrorOf);
        return text.ToString();

        void Line(string name, string value) => text.Append(Words.Wrap(name.PadRight(Indent.Length), value, width, 3));

        void Some<T>(string heading, IReadOnlyList<T> all, int shown, Func<T, string> one)
        {
            if (all.Count == 0)
                return;
            text.Append(heading == "Drops" ? "\n" : "").Append(heading);
            text.Append(all.Count > shown ? $" ({shown} of {all.Count}; -o json has all)" : "").Append(":\n");
            foreach (var item in all.Take(shown))
                text.Append(Words.Wrap("  ", one(item), width, LinesEach));
        }
    }

    private static string ModeOf(ModeStatus mode) =>
        $"cni {mode.Cni}, socket-lb {mode.SocketLb}, routing {mode.Routing}, masquerade {(mode.Masquerade ? "on" : "off")}, "
        + $"external source {mode.ExternalSource}, pods by {mode.PodAttachment}";

    private static string UplinksOf(NetworkStatus network) =>
        Listed([.. network.Uplinks.Select(u => $"{u.Name} (MTU {u.Mtu})")])
        + (network.PodMtu > 0 ? $"; MTU of pods {network.PodMtu}" : "") + PeersOf(network);

    private static string ErrorOf(LoggedError error)
    {
        var time = error.Time.ToString("MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        return $"{time} {error.Level}{(error.Count > 1 ? $" ({error.Count} times)" : "")}: {error.Message}";
    }

    private static string Used(AddressUse use)
    {
        var capacity = use.Capacity < 1e6 ? Words.Number(use.Capacity) : use.Capacity.ToString("0.#e0", CultureInfo.InvariantCulture);
        var resting = use.Resting > 0 ? $", {use.Resting} resting" : "";
        return $"; {(use.Family == "ipv4" ? "IPv4" : "IPv6")} {use.InUse} of {capacity} in use{resting}";
    }

    private static string PeersOf(NetworkStatus network) =>
        (network.DirectPeers > 0 ? $"; {Words.Count(network.DirectPeers, "node")} by route" : "")
        + (network.TunnelPeers > 0 ? $"; {Words.Count(network.TunnelPeers, "node")} through the tunnel" : "")
        + (network.Tunnel is { } device ? $" ({device})" : "");

    private static string CountsOf(CountStatus c) =>
        $"{Words.Count(c.Services, "service")} ({Words.Count(c.ServicePorts, "port")}), "
        + $"{Words.Count(c.Frontends, "frontend")}, {Words.Count(c.Backends, "backend")}; "
        + $"{Words.Count(c.Endpoints, "pod")} here, {Words.Count(c.Connections, "translated connection")}";

    private static string SyncOf(SyncAnswer sync) =>
        (sync.SinceSeconds is { } since ? $"{Words.Duration(since)} ago" : "never")
        + (sync.WaitingSeconds is { } waiting ? $"; a change has waited for {Words.Duration(waiting)}"
            : sync.First ? "; nothing waits" : "");

    private static string ApiOf(SyncAnswer sync)
    {
        var away = sync.Watches.Where(w => !w.Connected).ToList();
        var objects = Listed([.. sync.Watches.Select(w => Words.Count(w.Objects, w.Kind))]);
        if (away.Count == 0)
            return $"connected; {objects}";
        var error = away.Select(w => w.LastError).FirstOrDefault(e => e is not null);
        var kinds = Listed([.. away.Select(w => w.Kind)]);
        return $"not connected for {kinds}{(error is null ? "" : $": {error}")}; {objects}{(sync.First ? " as last heard" : "")}";
    }

    /// <summary>Side by side, where there is room: the screen has lines enough for what comes after.</summary>
    private static string TablesOf(IReadOnlyList<TableStatus> tables, int width)
    {
        if (tables.Count == 0)
            return "";
        string[] headings = ["TABLE", ">ENTRIES", ">SIZE", ">FILL"];
        if (width < TwoTablesWidth)
        {
            var one = new Columns(headings);
            foreach (var table in tables)
                one.Add(Row(table));
            return "\n" + one.Render();
        }

        var (columns, half) = (new Columns([.. headings, .. headings]), (tables.Count + 1) / 2);
        for (var i = 0; i < half; i++)
            columns.Add([.. Row(tables[i]), .. i + half < tables.Count ? Row(tables[i + half]) : [" ", " ", " ", " "]]);
        return "\n" + columns.Render();
    }

    private static string[] Row(TableStatus table) =>
    [
        table.Name, Words.Number(table.Entries), Words.Number(table.Size),
        table.Size == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{100.0 * table.Entries / table.Size:0.0}%"),
    ];

    private static string Listed(IReadOnlyList<string> items) => items.Count == 0 ? "none" : string.Join(", ", items);
}
