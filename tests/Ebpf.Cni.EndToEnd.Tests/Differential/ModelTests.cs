using System.Collections.Immutable;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential;

/// <summary>The model itself, against examples that its sources spell out; needs neither root nor a cluster.</summary>
public sealed class ModelTests
{
    [Theory]
    // KEP-1669: terminating endpoints serve only if no ready one is there, for Cluster and Local each
    [InlineData("Pod", "Cluster", "Cluster", "Cluster", "local terminating, remote ready", "b1 sees client")]
    [InlineData("Pod", "Cluster", "Local", "Cluster", "local terminating, remote ready", "a1 sees client")]
    [InlineData("Outside", "NodePort", "Cluster", "Local", "local terminating, remote ready", "a1 sees client")]
    [InlineData("Outside", "NodePort", "Cluster", "Cluster", "terminating on both", "a1 b1 b2 sees node")]
    [InlineData("Pod", "Cluster", "Cluster", "Cluster", "terminating, not serving", "refused")]
    // nothing anywhere is refused, nothing here is dropped
    [InlineData("Outside", "LoadBalancer", "Cluster", "Local", "none", "refused")]
    [InlineData("Outside", "LoadBalancer", "Cluster", "Local", "remote ready", "dropped")]
    [InlineData("Pod", "Cluster", "Local", "Cluster", "remote ready", "dropped")]
    [InlineData("OtherPod", "Cluster", "Local", "Cluster", "remote ready", "b1 b2 sees client")]
    // the node's own pods go out and come in again, those of another node come from outside
    [InlineData("Pod", "NodePort", "Cluster", "Local", "remote ready", "b1 b2 sees client")]
    [InlineData("OtherPod", "NodePort", "Cluster", "Local", "remote ready", "dropped")]
    [InlineData("OtherPod", "NodePort", "Cluster", "Local", "ready on both", "a1 sees client")]
    [InlineData("Host", "LoadBalancer", "Cluster", "Local", "remote ready", "b1 b2 sees node")]
    [InlineData("Pod", "External", "Cluster", "Cluster", "remote ready", "b1 b2 sees node")]
    // what stays on the node's own network is not masqueraded
    [InlineData("Outside", "External", "Cluster", "Cluster", "local host network", "hosta sees client")]
    [InlineData("Outside", "External", "Cluster", "Cluster", "remote host network", "hostb sees node")]
    [InlineData("Server", "Cluster", "Cluster", "Cluster", "local ready", "a2 sees client; a1 sees masked")]
    // hints: all or nothing, and not for Local
    [InlineData("Pod", "Cluster", "Cluster", "Cluster", "zone hints across", "b1 sees client")]
    [InlineData("Pod", "Cluster", "Local", "Cluster", "zone hints across", "a1 a2 sees client")]
    [InlineData("Pod", "Cluster", "Cluster", "Cluster", "zone hint missing on one", "a1 b1 sees client")]
    [InlineData("OtherPod", "Cluster", "Cluster", "Cluster", "node hints, none for A", "b1 b2 sees client")]
    [InlineData("Pod", "Cluster", "Cluster", "Cluster", "node hints, none for A", "b1 sees client")]
    // health
    [InlineData("Outside", "Health", "Cluster", "Local", "local terminating", "HTTP 503, 0 local")]
    [InlineData("Outside", "Health", "Cluster", "Local", "local ready", "HTTP 200, 2 local")]
    public void It_says_what_the_documentation_says(
        string client, string address, string inside, string outside, string endpoints, string verdict)
    {
        var service = new ServiceCase(Family.V4, Enum.Parse<Policy>(inside), Enum.Parse<Policy>(outside), EndpointSets.Named(endpoints));
        var scenario = new Scenario(Mode.Off, service, Enum.Parse<Client>(client), Enum.Parse<AddressKind>(address), Transport.Tcp);
        Assert.True(scenario.IsPossible);
        Assert.Equal(
            verdict.Split("; ").Order(), new KubeProxyRules().Decide(scenario).ToString()!.Split("; ").Order());
    }

    [Theory]
    [InlineData("Outside", "LoadBalancer", "Outside", false)]
    [InlineData("Outside", "LoadBalancer", "Pods", true)]
    [InlineData("Outside", "NodePort", "Pods", false)]
    [InlineData("Outside", "External", "Pods", false)]
    [InlineData("Pod", "LoadBalancer", "Outside", true)]
    [InlineData("Outside", "LoadBalancer", "OtherFamily", false)]
    public void Source_ranges_are_about_load_balancer_addresses(string client, string address, string ranges, bool dropped)
    {
        var service = new ServiceCase(Family.V4, Policy.Cluster, Policy.Cluster, EndpointSets.Named("ready on both"),
            Enum.Parse<SourceRanges>(ranges));
        var scenario = new Scenario(Mode.Off, service, Enum.Parse<Client>(client), Enum.Parse<AddressKind>(address), Transport.Tcp);
        Assert.Equal(dropped, new KubeProxyRules().Decide(scenario) is Verdict.Dropped);
    }

    [Fact]
    public void Every_difference_changes_something_and_says_why()
    {
        var scenarios = Enum.GetValues<Mode>().SelectMany(m => ScenarioGenerator.Generate(m, 0, new Random(1))).ToList();
        foreach (var difference in Differences.All)
        {
            Assert.All(new[] { difference.KubeProxy, difference.Here, difference.Reason },
                text => Assert.EndsWith(".", text, StringComparison.Ordinal));
            Assert.Contains(scenarios, s => difference.Applies(s)
                && !difference.Change(s, new KubeProxyRules().Decide(s)).Equals(new KubeProxyRules().Decide(s)));
        }
    }

    [Fact]
    public void The_core_alone_has_every_value_of_every_dimension_and_every_verdict()
    {
        foreach (var mode in Enum.GetValues<Mode>())
        {
            var core = ScenarioGenerator.Generate(mode, 0, new Random(1));
            Assert.Equal(Clients.All, Values(core, s => s.Client));
            Assert.Equal(Enum.GetValues<AddressKind>(), Values(core, s => s.Address));
            Assert.Equal(Enum.GetValues<Transport>(), Values(core, s => s.Transport));
            Assert.Equal(Enum.GetValues<SourceRanges>(), Values(core, s => s.Service.Ranges));
            Assert.Equal(EndpointSets.All.Length, Values(core, s => s.Service.Endpoints.Name).Length);
            Assert.Equal(4, Values(core, s => Differences.Expected(s).GetType().Name).Length);
        }
    }

    [Fact]
    public void A_seed_repeats_the_same_scenarios()
    {
        Assert.Equal(ScenarioGenerator.Generate(Mode.Full, 50, new Random(5)), ScenarioGenerator.Generate(Mode.Full, 50, new Random(5)));
        Assert.NotEqual(ScenarioGenerator.Generate(Mode.Full, 50, new Random(5)), ScenarioGenerator.Generate(Mode.Full, 50, new Random(6)));
    }

    [Theory]
    [MemberData(nameof(WrongRules.Names), MemberType = typeof(WrongRules))]
    public void Each_wrong_model_differs_in_the_core(string rule)
    {
        var core = ScenarioGenerator.Generate(Mode.HostOnly, 0, new Random(1), everyCore: 2);
        Assert.Contains(core, s => !Differences.Expected(s, WrongRules.Named(rule)).Equals(Differences.Expected(s)));
    }

    private static ImmutableArray<T> Values<T>(IEnumerable<Scenario> scenarios, Func<Scenario, T> of) =>
        [.. scenarios.Select(of).Distinct().Order()];
}
