using Ebpf.Cni.EndToEnd.Tests.Differential.Harness;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;

namespace Ebpf.Cni.EndToEnd.Tests.Differential;

/// <summary>
/// Hundreds of questions to a running cluster, each answered twice: by the cluster, and by a model of kube-proxy written from its
/// documentation, with the few deliberate differences applied.
/// </summary>
public abstract class DifferentialTests(DifferentialCluster cluster)
{
    /// <summary>
    /// Not one that the kernel gives to a connection by itself: those keep their port for a minute after they are closed, and a socket that
    /// asks for it by name is refused it. A node has dozens of them.
    /// </summary>
    private const int FirstPort = 21000;

    [Fact]
    public async Task Every_scenario_ends_as_the_rules_of_kube_proxy_say()
    {
        var survey = await cluster.Survey;
        var rows = survey.CompareWith(new KubeProxyRules(), cluster.Addresses);
        ScenarioTable.Publish(cluster.Name, survey.Mode, rows, cluster.Addresses, survey.Took);
        AssertNoProblem(rows, "the survey");
        foreach (var difference in Differences.All.Where(
            d => d.Name != "a pod that reaches itself by a socket hook" || survey.Mode == Mode.Full))
            Assert.True(rows.Any(r => difference.Applies(r.Scenario)), $"no scenario shows the difference \"{difference.Name}\"");
    }

    [Theory]
    [MemberData(nameof(WrongRules.Names), MemberType = typeof(WrongRules))]
    public async Task A_model_with_one_rule_wrong_is_found_out(string rule)
    {
        var survey = await cluster.Survey;
        var right = survey.CompareWith(new KubeProxyRules(), cluster.Addresses).Where(r => r.Problem is null).Select(r => r.Id).ToHashSet();
        var found = survey.CompareWith(WrongRules.Named(rule), cluster.Addresses).Where(r => r.Problem is not null && right.Contains(r.Id))
            .ToList();
        Assert.NotEmpty(found);
    }

    /// <summary>
    /// A client keeps its port when it is translated; the next connection from that port to the same endpoint may be one that is not, or is
    /// on another way: of the node itself while a masqueraded client has the port, or of a pod that first asked the endpoint's node.
    /// </summary>
    [Theory]
    [InlineData("Outside", "Cluster", "Host")]
    [InlineData("OtherPod", "Local", "OtherPod")]
    public async Task Two_ways_to_an_endpoint_from_one_port_do_not_get_each_others_answers(string first, string policy, string second)
    {
        var services = new[] { Backend.A1, Backend.B1 }.Where(b => policy == "Cluster" || b == Backend.A1).Select(b =>
            new ServiceCase(Family.V4, Policy.Cluster, Enum.Parse<Policy>(policy),
                new EndpointSet($"{b} alone", [new(b, EndpointState.Ready)])));
        var questions =
            from place in await cluster.AddAsync([.. services])
            from transport in new[] { Transport.Tcp, Transport.Udp, Transport.UdpSendTo }
            from _ in Enumerable.Range(0, 2)
            select (place, transport);
        var one = questions.Select((q, i) => new Probe(
            $"port-{FirstPort + i}",
            new Scenario(cluster.Mode, q.place.Case, Enum.Parse<Client>(first), AddressKind.NodePort, q.transport),
            q.place, FirstPort + i)).ToList();
        var other = one.Select(
            p => p with { Scenario = p.Scenario with { Client = Enum.Parse<Client>(second), Address = AddressKind.Cluster } }).ToList();
        foreach (var (turn, probes) in new[] { one, other, one }.Index())
            AssertNoProblem(await cluster.AskAsync(probes), $"turn {turn}");
    }

    private void AssertNoProblem(IReadOnlyCollection<Row> rows, string of)
    {
        var wrong = rows.Where(r => r.Problem is not null).Select(r => ScenarioTable.Line(r, cluster.Addresses)).ToList();
        Assert.True(wrong.Count == 0, $"{wrong.Count} of {rows.Count} scenarios, {of}:\n{string.Join('\n', wrong)}");
    }
}

/// <summary>Services answered at the socket, for pods and for the nodes themselves.</summary>
public sealed class FullDifferentialTests(FullDifferentialCluster cluster) : DifferentialTests(cluster),
    IClassFixture<FullDifferentialCluster>;

/// <summary>By the tc programs alone.</summary>
public sealed class PacketDifferentialTests(PacketDifferentialCluster cluster) : DifferentialTests(cluster),
    IClassFixture<PacketDifferentialCluster>;

/// <summary>At the socket for the nodes, by tc for pods: a smaller sample, since each half is covered by the others.</summary>
public sealed class HostDifferentialTests(HostDifferentialCluster cluster) : DifferentialTests(cluster),
    IClassFixture<HostDifferentialCluster>;

/// <summary>By the tc programs alone, between nodes that reach each other's pods through the tunnel.</summary>
public sealed class TunnelDifferentialTests(TunnelDifferentialCluster cluster) : DifferentialTests(cluster),
    IClassFixture<TunnelDifferentialCluster>;

public sealed class FullDifferentialCluster() : DifferentialCluster(Mode.Full, random: 250);

public sealed class PacketDifferentialCluster() : DifferentialCluster(Mode.Off, random: 250);

public sealed class HostDifferentialCluster() : DifferentialCluster(Mode.HostOnly, random: 100, everyCore: 2);

public sealed class TunnelDifferentialCluster() : DifferentialCluster(Mode.Off, random: 150, everyCore: 1, "--routing", "tunnel");
