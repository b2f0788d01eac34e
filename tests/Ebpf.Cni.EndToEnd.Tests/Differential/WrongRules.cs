using System.Collections.Immutable;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential;

/// <summary>Models that are wrong in one place each: the comparison must notice every one of them.</summary>
public static class WrongRules
{
    private static readonly Dictionary<string, KubeProxyRules> All = new()
    {
        ["Local is treated as Cluster"] = new LocalAsCluster(),
        ["external clients are not masqueraded"] = new NeverMasqueraded(),
        ["terminating endpoints do not serve"] = new NoTerminating(),
        ["hints are ignored"] = new NoHints(),
        ["source ranges are ignored"] = new NoSourceRanges(),
        ["terminating endpoints count for the health check"] = new TerminatingIsHealthy(),
        ["nothing here is as good as nothing anywhere"] = new RefusesWhereItDrops(),
    };

    public static TheoryData<string> Names => [.. All.Keys];

    internal static KubeProxyRules Named(string name) => All[name];

    private sealed class LocalAsCluster : KubeProxyRules
    {
        protected override ImmutableArray<EndpointEntry> LocalEndpoints(ImmutableArray<EndpointEntry> endpoints, Site node) =>
            ClusterEndpoints(endpoints, node);
    }

    private sealed class NeverMasqueraded : KubeProxyRules
    {
        protected override Source SourceAt(Scenario scenario, Backend backend, bool masquerade) => base.SourceAt(scenario, backend, false);
    }

    private sealed class NoTerminating : KubeProxyRules
    {
        protected override ImmutableArray<EndpointEntry> ClusterEndpoints(ImmutableArray<EndpointEntry> endpoints, Site node) =>
            base.ClusterEndpoints(WithoutTerminating(endpoints), node);

        protected override ImmutableArray<EndpointEntry> LocalEndpoints(ImmutableArray<EndpointEntry> endpoints, Site node) =>
            base.LocalEndpoints(WithoutTerminating(endpoints), node);

        private static ImmutableArray<EndpointEntry> WithoutTerminating(ImmutableArray<EndpointEntry> endpoints) =>
            [.. endpoints.Where(e => e.State.IsReady || !e.State.IsTerminating)];
    }

    private sealed class NoHints : KubeProxyRules
    {
        protected override ImmutableArray<EndpointEntry> Hinted(ImmutableArray<EndpointEntry> ready, Site node) => ready;
    }

    private sealed class NoSourceRanges : KubeProxyRules
    {
        protected override bool Admits(Scenario scenario) => true;
    }

    private sealed class TerminatingIsHealthy : KubeProxyRules
    {
        protected override Verdict HealthCheck(ImmutableArray<EndpointEntry> endpoints)
        {
            var count = LocalEndpoints(endpoints, Site.A).Length;
            return new Verdict.Health(count > 0 ? 200 : 503, count);
        }
    }

    private sealed class RefusesWhereItDrops : KubeProxyRules
    {
        public override Verdict Decide(Scenario scenario) =>
            base.Decide(scenario) is Verdict.Dropped && scenario.Service.Ranges == SourceRanges.None
            ? new Verdict.Refused() : base.Decide(scenario);
    }
}
