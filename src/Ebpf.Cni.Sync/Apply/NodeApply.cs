using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>What a part of an apply did.</summary>
/// <param name="WritesByKind">Writes to the kernel, by the metric's label.</param>
/// <param name="Errors">Writes that failed.</param>
/// <param name="Issues">Reported for them.</param>
public sealed record NodeApplyResult(ImmutableArray<(string Kind, int Count)> WritesByKind, int Errors, ImmutableArray<CompileIssue> Issues)
{
    public int Writes => WritesByKind.Sum(w => w.Count);

    public bool NeedsRetry => Errors > 0;
}

/// <summary>
/// The part of an apply beside the service tables. A failure here is an issue with a retry, not ill health: one node with an address out of
/// reach, or one port in use, must not take everything else out of service.
/// </summary>
public sealed partial class NodeApply(
    IHealthChecks healthChecks, SnapshotStore store, PodMtu mtu, PeerReport peers, SyncOptions options, ILogger<NodeApply> log)
{
    private readonly TunnelApply _tunnel = new(options);
    private readonly UnderlayMtu _underlay = new();
    private ImmutableArray<DesiredPrefix> _prefixes;
    private NodeNetwork? _applied;
    private bool _verifyRoutes;

    /// <summary>Routes that lead to a next hop, and of which these are those.</summary>
    private (ImmutableArray<DesiredRoute> Of, ImmutableArray<DesiredRoute> Direct) _direct;

    /// <summary>The next apply does not rely on what the last one left.</summary>
    public void Verify()
    {
        _applied = null;
        _tunnel.Verify();
        _verifyRoutes = true;
    }

    /// <summary>Network state of the node may have been removed; the next apply reads it back. (Route changes come by netlink.)</summary>
    public void Lost() => _tunnel.Lost();

    /// <summary>What packets of Services need on their path.</summary>
    public NodeApplyResult BeforeServices(NodeDataplane dataplane, NodeView view, DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(dataplane);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(desired);
        var parts = new Parts(this);
        var outer = view.UplinkMtu;
        parts.Do("tunnel", "TunnelFailed", "lookup of the tunnels' underlay devices", () =>
        {
            outer = Math.Min(outer, _underlay.Of(view.NetworkState, desired.Prefixes) ?? outer);
            return (0, []);
        });
        var fitting = mtu.Set(outer, Encapsulation.Bytes(view.Context.Routing, desired));
        parts.Do("tunnel", "TunnelFailed", "setup of the tunnel device", () => (_tunnel.Ensure(dataplane, view, desired, fitting), []));
        Destinations(parts, dataplane, PrefixTransition.Between(_prefixes, desired.Prefixes));
        if (!view.Network.Equals(_applied))
        {
            if (view.Network.Uplinks.IsEmpty)
                Log.NoUplink(log);
            parts.Do("uplink", "UplinkFailed", "attachment of uplink programs", () =>
            {
                var uplinks = dataplane.Uplinks.Apply(view.Network.Uplinks, view.Network.V4, view.Network.V6);
                Report(view.Network, uplinks);
                return (uplinks.Attached.Length + uplinks.Detached.Length, uplinks.Errors);
            });
            _applied = parts.Failed ? null : view.Network;
        }

        return parts.Result();
    }

    private void Destinations(Parts parts, NodeDataplane dataplane, ImmutableArray<DesiredPrefix> destinations) =>
        parts.Do("ipcache", "DestinationsFailed", "update of the ipcache", () =>
        {
            var prefixes = dataplane.Ipcache.Apply(destinations, _tunnel.Ifindex);
            return (prefixes.Written + prefixes.Deleted, prefixes.Errors);
        });

    private void Report(NodeNetwork network, UplinkReport report)
    {
        if (report.Attached.Length + report.Detached.Length > 0)
            Log.Uplinks(log, string.Join(", ", network.Uplinks.Select(u => u.Name)), Text(network.V4), Text(network.V6));

        static string Text(Addr? address) => address?.ToString() ?? "none";
    }

    /// <summary>What directs traffic to this node: applied once the Services can be served.</summary>
    public NodeApplyResult AfterServices(NodeDataplane dataplane, NodeView view, DesiredState desired)
    {
        ArgumentNullException.ThrowIfNull(dataplane);
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(desired);
        var parts = new Parts(this);
        parts.Do("route", "RouteFailed", "update of the routes", () =>
        {
            // A tunnel device that cannot be created is an issue already; the routes into it stay pending until it exists.
            var tunnel = _tunnel.Route(view.Network);
            if (_verifyRoutes)
                dataplane.Routes.Forget();
            _verifyRoutes = false;
            var routes = dataplane.Routes.Apply(tunnel is null ? Direct(desired.Routes) : desired.Routes, tunnel);
            return (routes.Replaced + routes.Deleted, routes.Errors);
        });
        Destinations(parts, dataplane, desired.Prefixes);
        _prefixes = desired.Prefixes;
        parts.Do("tunnel", "TunnelFailed", "removal of the tunnel device", () => (_tunnel.RemoveIdle(dataplane, desired), []));
        peers.Report(desired);
        foreach (var (check, cause) in healthChecks.Apply(desired))
        {
            parts.Fail(new CompileIssue(
                "Service", check.Service, store.Current.Services.GetValueOrDefault(check.Service)?.Uid ?? "", "HealthCheckFailed",
                $"Health check node port {check.Port} cannot be opened on {options.NodeName}: {cause}; "
                + "load balancers see this node as unhealthy. The agent retries."));
        }

        return parts.Result();
    }

    /// <summary>The same array for the same, so that what did not change is not compared.</summary>
    private ImmutableArray<DesiredRoute> Direct(ImmutableArray<DesiredRoute> routes)
    {
        if (_direct.Of != routes)
            _direct = (routes, routes.All(r => r.Gateway is not null) ? routes : [.. routes.Where(r => r.Gateway is not null)]);
        return _direct.Direct;
    }

    private CompileIssue OfThisNode(string reason, string message) => new(
        "Node", new ObjectName("", options.NodeName), store.Current.Nodes.GetValueOrDefault(options.NodeName)?.Uid ?? "", reason, message);

    /// <summary>Collects what the parts did.</summary>
    private sealed class Parts(NodeApply owner)
    {
        private readonly ImmutableArray<(string, int)>.Builder _writes = ImmutableArray.CreateBuilder<(string, int)>();
        private readonly ImmutableArray<CompileIssue>.Builder _issues = ImmutableArray.CreateBuilder<CompileIssue>();

        public void Do(string kind, string reason, string what, Func<(int Writes, ImmutableArray<ApplyError> Errors)> part)
        {
            try
            {
                var (writes, errors) = part();
                _writes.Add((kind, writes));
                foreach (var error in errors)
                    Fail(owner.OfThisNode(reason, $"{error}; the agent retries."));
            }
            catch (Exception e) when (e is KernelException or NetlinkFormatException or DataplaneException)
            {
                Fail(owner.OfThisNode(reason, $"{what} failed: {e.Message}; the agent retries."));
            }
        }

        public bool Failed => _issues.Count > 0;

        public void Fail(CompileIssue issue) => _issues.Add(issue);

        public NodeApplyResult Result() => new(_writes.ToImmutable(), _issues.Count, _issues.ToImmutable());
    }

    private static partial class Log
    {
        [LoggerMessage(3372, LogLevel.Warning,
            "no uplink found: NodePorts are unreachable from outside and pods' traffic is not masqueraded; set the uplinks option")]
        public static partial void NoUplink(ILogger log);

        [LoggerMessage(3371, LogLevel.Information, "uplinks: {Devices}; node addresses: {V4} (IPv4), {V6} (IPv6)")]
        public static partial void Uplinks(ILogger log, string devices, string v4, string v6);
    }
}
