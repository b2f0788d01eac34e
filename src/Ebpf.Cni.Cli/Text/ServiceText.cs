using System.Globalization;
using System.Text;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Text;

/// <summary>One Service on one node, for people.</summary>
internal static class ServiceText
{
    public static string Of(ServiceAnswer answer, int width)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{answer.Service}  {answer.Type ?? "(the API has no such Service)"}\n");
        if (answer.Frontends.Count == 0 && answer.Missing.Count == 0)
            text.Append("  no frontends (headless, ExternalName, another proxy's, or an issue)\n");
        foreach (var f in answer.Frontends)
        {
            var port = f.PortName.Length > 0 ? $" port {f.PortName}" : "";
            text.Append(CultureInfo.InvariantCulture, $"\n{FrontendOf(f)} {f.Scope}{port}, id {f.ServiceId}{FlagsOf(f)}\n");
            if (f.State != "ok")
                text.Append(Words.Wrap("  ", StateOf(f.State), width));
            if (f.Served.Count == 0)
                text.Append(f.Flags.Contains("dropEmpty") ? "  no backends here: dropped in silence\n" : "  no backends: refused\n");
            else
                text.Append(BackendsOf(f));
        }

        foreach (var missing in answer.Missing)
            text.Append(CultureInfo.InvariantCulture, $"\n{missing}\n  MISSING in the kernel\n");
        foreach (var issue in answer.Issues)
            text.Append('\n').Append(Words.Wrap("", $"{issue.Reason}: {issue.Message}", width));
        return text.ToString();
    }

    private static string BackendsOf(FrontendDetail frontend)
    {
        var columns = new Columns("BACKEND", "POD", "NODE", "STATE", ">CONNECTIONS", ">SENT", ">ANSWERED");
        foreach (var b in frontend.Served)
            columns.Add(
                End(b.Address, b.Port), b.Pod, b.Node.Length > 0 ? b.Node + (b.Local ? " (this)" : "") : "", b.State,
                $"{b.Connections}", Words.Bytes(b.BytesTo), Words.Bytes(b.BytesFrom));
        return columns.Render(indent: 2);
    }

    /// <summary>", flag, flag"; "" without.</summary>
    public static string FlagsOf(FrontendDetail f)
    {
        var flags = f.Flags.Select(flag => flag switch
        {
            "affinity" => $"affinity {f.AffinitySeconds}s",
            "sourceRanges" => $"only from {(f.SourceRanges.Count > 0 ? string.Join(", ", f.SourceRanges) : "no range")}",
            "keepSource" => "client's source kept",
            "dropEmpty" => "drops when empty",
            _ => flag,
        }).ToList();
        return flags.Count == 0 ? "" : ", " + string.Join(", ", flags);
    }

    public static string StateOf(string state) => state switch
    {
        "broken" => "BROKEN: it points to another service's backends, or outside the table",
        "unexpected" => "UNEXPECTED: it is in the kernel and should not be",
        "different" => "DIFFERENT from what was last applied",
        _ => state,
    };

    public static string FrontendOf(FrontendLine f) => $"{End(f.Address, f.Port)}/{f.Protocol}";

    public static string End(string address, int port) =>
        address.Contains(':', StringComparison.Ordinal) ? $"[{address}]:{port}" : $"{address}:{port}";
}
