using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>Logs the route to each other node's pods when it is new or has changed.</summary>
public sealed partial class PeerReport(ILogger<PeerReport> log)
{
    /// <summary>More at once are summed up: at the start of an agent in a large cluster.</summary>
    private const int MostLines = 30;

    private (ImmutableArray<DesiredRoute> Routes, ImmutableArray<DesiredPrefix> Prefixes) _last;
    private SortedDictionary<string, string> _logged = [];

    public void Report(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        if (!_last.Routes.IsDefault && desired.Routes == _last.Routes && desired.Prefixes == _last.Prefixes)
            return;
        _last = (desired.Routes, desired.Prefixes);
        var routes = Routes(desired);
        var changed = routes.Where(r => _logged.GetValueOrDefault(r.Key) != r.Value).ToList();
        foreach (var (node, route) in changed.Take(MostLines))
            Log.Route(log, node, route);
        if (changed.Count > MostLines)
            Log.More(log, changed.Count - MostLines);
        foreach (var gone in _logged.Keys.Where(n => !routes.ContainsKey(n)))
            Log.None(log, gone);
        _logged = routes;
    }

    /// <summary>Node → "10.244.2.0/24 via 192.0.2.2, fd00::/64 through the tunnel to 192.0.2.2".</summary>
    internal static SortedDictionary<string, string> Routes(DesiredState desired)
    {
        var tunnels = desired.Prefixes.Where(p => p.Tunnel is not null).ToDictionary(p => (p.Addr, p.PrefixLength), p => p.Tunnel!.Value);
        var routes = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var peer in desired.Routes.GroupBy(r => r.Node))
            routes.Add(peer.Key, string.Join(", ", peer.Select(Text)));
        return routes;

        string Text(DesiredRoute route) => route.Gateway is { } gateway
            ? $"{route.Destination} via {gateway}"
            : $"{route.Destination} through the tunnel to "
                + (tunnels.TryGetValue(Key(route.Destination), out var to) ? to.ToString() : "none");
    }

    private static (Addr, int) Key(IPNetwork network) => (Addr.From(network.BaseAddress), network.PrefixLength);

    private static partial class Log
    {
        [LoggerMessage(3381, LogLevel.Information, "route to pods of node {Node}: {Route}")]
        public static partial void Route(ILogger log, string node, string route);

        [LoggerMessage(3382, LogLevel.Information,
            "routes to pods of {Nodes} more nodes changed and are not logged; list all: ip route show proto 101")]
        public static partial void More(ILogger log, int nodes);

        [LoggerMessage(3383, LogLevel.Information, "route to pods of node {Node} removed")]
        public static partial void None(ILogger log, string node);
    }
}
