using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Prometheus;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>Routes to other nodes' pods.</summary>
public sealed class RouteMetrics(CollectorRegistry registry)
{
    private readonly Gauge _peers = Prometheus.Metrics.WithCustomRegistry(registry).CreateGauge(
        "ebpf_cni_peer_routes", "Routes to other nodes' pods, by address family and path (direct or tunnel).", ["family", "path"]);

    private ImmutableArray<DesiredRoute> _held;

    /// <summary>What the kernel now holds.</summary>
    public void Holds(DesiredState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!_held.IsDefault && state.Routes == _held)
            return;
        _held = state.Routes;
        foreach (var v4 in (bool[])[true, false])
            foreach (var direct in (bool[])[true, false])
                _peers.WithLabels(v4 ? "ipv4" : "ipv6", direct ? "direct" : "tunnel")
                    .Set(_held.Count(r => (r.Gateway is not null) == direct && Addr.From(r.Destination.BaseAddress).IsIPv4 == v4));
    }
}
