using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Text;

/// <summary>The plain listings for people.</summary>
internal static class TableText
{
    public static string Of(EndpointsAnswer answer)
    {
        var columns = new Columns("POD", "ADDRESSES", "INTERFACE", ">ID", "MAC", "STATE");
        foreach (var e in answer.Endpoints)
            columns.Add(e.Pod, string.Join(',', e.Addresses), e.Interface, $"{e.Id}", e.Mac, e.Limited ? $"{e.State}, rate limited" : e.State);
        return answer.Total == 0 ? "no pods on this node\n" : columns.Render() + Columns.More(answer.Total, answer.Endpoints.Count, "endpoints");
    }

    public static string Of(ConntrackAnswer answer)
    {
        var columns = new Columns("PROTO", "STATE", "CLIENT", "DESTINATION", "SERVICE", "BACKEND", "SEEN AS", ">AGE", ">IDLE", ">SENT", ">ANSWERED");
        foreach (var c in answer.Connections)
        {
            columns.Add(
                c.Protocol, c.Expired ? $"{c.State} (over)" : c.State, Named(c.Client, c.ClientPod), c.Destination == c.Backend ? "" : c.Destination, c.Service,
                Named(c.Backend, c.BackendPod), c.Source == c.Client ? "" : c.Source, Words.Duration(c.AgeSeconds), Words.Duration(c.IdleSeconds), Words.Bytes(c.BytesTo), Words.Bytes(c.BytesFrom));
        }

        return (answer.Total == 0 ? "no such connections (those that are translated at the socket are not in this table)\n" : columns.Render())
            + Columns.More(answer.Total, answer.Connections.Count, "connections")
            + $"{answer.Entries} of {answer.Size} connections in use\n";
    }

    public static string Of(IpcacheAnswer answer)
    {
        var columns = new Columns("PREFIX", "IS", "NODE", "TUNNEL TO");
        foreach (var p in answer.Prefixes)
            columns.Add(p.Prefix, string.Join(',', p.Kinds), p.Node, p.Tunnel ?? "");
        return answer.Total == 0 ? "no prefixes: everything counts as outside the cluster\n" : columns.Render() + Columns.More(answer.Total, answer.Prefixes.Count, "prefixes");
    }

    private static string Named(string end, string pod) => pod.Length == 0 ? end : $"{end} ({pod})";
}
