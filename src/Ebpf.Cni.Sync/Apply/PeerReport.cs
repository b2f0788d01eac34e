using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>Logs the way to each other node's pods when it is new or has changed.</summary>
public sealed partial class PeerReport(ILogger<PeerReport> log)
{
    /// <summary>More at once are summed up: at the start of an agent in a large cluster.</summary>
    private const int MostLines = 30;

    private (ImmutableArray<DesiredRoute> Routes, ImmutableArray<DesiredPrefix> Prefixes) _last;
    private SortedDictionary<string, string> _told = [];

    public void Tell(DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(desired);
        if (!_last.Routes.IsDefault && desired.Routes == _last.Routes && desired.Prefixes == _last.Prefixes)
            return;
        _last = (desired.Routes, desired.Prefixes);
        var ways = Ways(desired);
        var changed = ways.Where(w => _told.GetValueOrDefault(w.Key) != w.Value).ToList();
        foreach (var (node, way) in changed.Take(MostLines))
            Log.Way(log, node, way);
        if (changed.Count > MostLines)
            Log.More(log, changed.Count - MostLines);
        foreach (var gone in _told.Keys.Where(n => !ways.ContainsKey(n)))
            Log.None(log, gone);
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
