using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Prometheus;

namespace Ebpf.Cni.Agent.Sync;

/// <summary>Says by which way each other node's pods are reached: a log line for each that is new or changed, and how many there are of each.</summary>
public sealed partial class PeerReport
{
    /// <summary>More at once are summed up: at the start of an agent in a large cluster.</summary>
    private const int MostLines = 30;

    private readonly ILogger<PeerReport> _log;
    private readonly Gauge _peers;
    private (ImmutableArray<DesiredRoute> Routes, ImmutableArray<DesiredPrefix> Prefixes) _last;
    private SortedDictionary<string, string> _told = [];

    public PeerReport(CollectorRegistry registry, ILogger<PeerReport> log)
    {
        _log = log;
        _peers = Prometheus.Metrics.WithCustomRegistry(registry).CreateGauge(
            "ebpf_cni_peer_routes", "Routes to other nodes' pods, by family and by way: direct or tunnel.", ["family", "way"]);
    }

    public void Tell(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        if (!_last.Routes.IsDefault && desired.Routes == _last.Routes && desired.Prefixes == _last.Prefixes)
            return;
        _last = (desired.Routes, desired.Prefixes);
        foreach (var family in (bool[])[true, false])
            foreach (var direct in (bool[])[true, false])
                _peers.WithLabels(family ? "ipv4" : "ipv6", direct ? "direct" : "tunnel")
                    .Set(desired.Routes.Count(r => (r.Gateway is not null) == direct && Addr.From(r.Destination.BaseAddress).IsIPv4 == family));
        var ways = Ways(desired);
        var changed = ways.Where(w => _told.GetValueOrDefault(w.Key) != w.Value).ToList();
        foreach (var (node, way) in changed.Take(MostLines))
            Log.Way(_log, node, way);
        if (changed.Count > MostLines)
            Log.More(_log, changed.Count - MostLines);
        foreach (var gone in _told.Keys.Where(n => !ways.ContainsKey(n)))
            Log.None(_log, gone);
        _told = ways;
    }

    /// <summary>Node → "10.244.2.0/24 directly through 192.0.2.2, fd00::/64 through the tunnel to 192.0.2.2".</summary>
    internal static SortedDictionary<string, string> Ways(DesiredState desired)
    {
        var tunnels = desired.Prefixes.Where(p => p.Tunnel is not null).ToDictionary(p => (p.Addr, p.PrefixLength), p => p.Tunnel!.Value);
        var ways = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var peer in desired.Routes.GroupBy(r => r.Node))
            ways.Add(peer.Key, string.Join(", ", peer.Select(Text)));
        return ways;

        string Text(DesiredRoute route) => route.Gateway is { } gateway
            ? $"{route.Destination} directly through {gateway}"
            : $"{route.Destination} through the tunnel to {(tunnels.TryGetValue(Key(route.Destination), out var to) ? to.ToString() : "nobody")}";
    }

    private static (Addr, int) Key(IPNetwork network) => (Addr.From(network.BaseAddress), network.PrefixLength);

    private static partial class Log
    {
        [LoggerMessage(3381, LogLevel.Information, "pods of {Node}: {Way}")]
        public static partial void Way(ILogger log, string node, string way);

        [LoggerMessage(3382, LogLevel.Information, "{Nodes} more nodes are not listed; ip route show proto 101 lists all")]
        public static partial void More(ILogger log, int nodes);

        [LoggerMessage(3383, LogLevel.Information, "pods of {Node}: no way leads there any more")]
        public static partial void None(ILogger log, string node);
    }
}
