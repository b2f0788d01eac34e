using System.Globalization;
using Ebpf.Cni.Protocol.Observe;

namespace Ebpf.Cni.Cli.Text;

/// <summary>The listings for people.</summary>
internal static class Listings
{
    public static Listing<ServicesAnswer> Services { get; } = new(
        ["SERVICE", "PORT", "FRONTEND", "SCOPE", ">BACKENDS", ">LOCAL", ">TAIL", "FLAGS", "STATE"],
        answer => [.. answer.Frontends.Select(Row)], answer => answer.Total, "frontends")
    {
        Empty = "no frontends",
        NodesOwn = "LOCAL",
    };

    public static Listing<EndpointsAnswer> Endpoints { get; } = new(
        ["POD", "ADDRESSES", "INTERFACE", ">ID", "MAC", "STATE"],
        answer => [.. answer.Endpoints.Select(Row)], answer => answer.Total, "endpoints")
    {
        Empty = "no pods on this node",
    };

    public static Listing<ConntrackAnswer> Conntrack { get; } = new(
        ["PROTO", "STATE", "CLIENT", "DESTINATION", "SERVICE", "BACKEND", "SEEN AS", ">AGE", ">IDLE", ">SENT", ">ANSWERED"],
        answer => [.. answer.Connections.Select(Row)], answer => answer.Total, "connections")
    {
        Empty = "no such connections (those that are translated at the socket are not in this table)",
        Footer = answer => $"{answer.Entries} of {answer.Size} connections in use",
    };

    public static Listing<IpcacheAnswer> Ipcache { get; } = new(
        ["PREFIX", "IS", "NODE", "TUNNEL TO"], answer => [.. answer.Prefixes.Select(Row)], answer => answer.Total, "prefixes")
    {
        Empty = "no prefixes: everything counts as outside the cluster",
    };

    public static Listing<ProbeAnswer> Probe { get; } = new(
        ["TARGET", "ADDRESS", ">TIME", "RESULT"], answer => [Row(answer)], _ => 1, "probes")
    {
        Empty = "",
    };

    private static string[] Row(FrontendLine f) =>
    [
        f.Service.Length > 0 ? f.Service : $"(id {f.ServiceId})", f.PortName, ServiceText.FrontendOf(f), f.Scope,
        $"{f.Backends}", $"{f.Local}", $"{f.Tail}", string.Join(',', f.Flags), f.State,
    ];

    private static string[] Row(EndpointLine e) =>
        [e.Pod, string.Join(',', e.Addresses), e.Interface, $"{e.Id}", e.Mac, e.Limited ? $"{e.State}, rate limited" : e.State];

    private static string[] Row(ConnectionLine c) =>
    [
        c.Protocol, c.Expired ? $"{c.State} (over)" : c.State, Named(c.Client, c.ClientPod),
        c.Destination == c.Backend ? "" : c.Destination, c.Service, Named(c.Backend, c.BackendPod), c.Source == c.Client ? "" : c.Source,
        Words.Duration(c.AgeSeconds), Words.Duration(c.IdleSeconds), Words.Bytes(c.BytesTo), Words.Bytes(c.BytesFrom),
    ];

    private static string[] Row(PrefixLine p) => [p.Prefix, string.Join(',', p.Kinds), p.Node, p.Tunnel ?? ""];

    private static string[] Row(ProbeAnswer p) =>
        [p.Target, p.Address ?? "", string.Create(CultureInfo.InvariantCulture, $"{p.Milliseconds:0.0} ms"), p.Error ?? "connected"];

    private static string Named(string end, string pod) => pod.Length == 0 ? end : $"{end} ({pod})";
}
