using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Client = Ebpf.Cni.EndToEnd.Tests.Differential.Model.Client;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>A question of a scenario, with a name to find its answers by.</summary>
/// <param name="SourcePort">Asks once, from this port; 0: as often as it takes, from any.</param>
internal sealed record Probe(string Id, Scenario Scenario, ServicePlace Place, int SourcePort = 0);

/// <summary>Asks from where the clients are: one process for each client, which asks everything at once (programs/probe.py).</summary>
internal sealed class Prober(SandboxCluster cluster, AddressBook addresses)
{
    /// <summary>The kernel sends a SYN again after one second and after three: what is silent for longer stays silent.</summary>
    private const string Patience = "4";

    public async Task<IReadOnlyDictionary<string, Observation>> AskAsync(IReadOnlyCollection<Probe> probes)
    {
        var asked = await Task.WhenAll(probes.GroupBy(p => p.Scenario.Client).Select(g => AskAsync(g.Key, [.. g])));
        return asked.SelectMany(a => a).ToDictionary();
    }

    private async Task<IReadOnlyDictionary<string, Observation>> AskAsync(Client client, List<Probe> probes)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, new JsonArray([.. probes.Select(Question)]).ToJsonString());
            var result = await RunAsync(client, ClusterFixture.Program("probe.py", file, Patience));
            var answers = JsonNode.Parse(result.ThrowIfFailed().Output)!;
            return probes.ToDictionary(p => p.Id, p => Observation.Parse(answers[p.Id]));
        }
        finally
        {
            File.Delete(file);
        }
    }

    private Task<ExecResult> RunAsync(Client client, string[] program) => client switch
    {
        Client.Pod => cluster.ExecAsync(DifferentialCluster.ClientPod(Site.A), program),
        Client.Server => cluster.ExecAsync(DifferentialCluster.ServerPod(Backend.A1), program),
        Client.OtherPod => cluster.ExecAsync(DifferentialCluster.ClientPod(Site.B), program),
        Client.Host => cluster.ExecOnNodeAsync(ServiceObjects.NodeName(Site.A), program),
        Client.OtherHost => cluster.ExecOnNodeAsync(ServiceObjects.NodeName(Site.B), program),
        _ => cluster.Outside.ExecAsync(program),
    };

    private JsonObject Question(Probe probe)
    {
        var (address, port) = probe.Place.Target(probe.Scenario, addresses);
        var question = new JsonObject
        {
            ["id"] = probe.Id,
            ["how"] = probe.Scenario switch
            {
                { Address: AddressKind.Health } => "http",
                { Transport: Transport.Tcp } => "tcp",
                { Transport: Transport.Udp } => "udp",
                { Transport: Transport.Sctp } => "sctp",
                _ => "sendto",
            },
            ["address"] = address.ToString(),
            ["port"] = port,
            ["count"] = probe.SourcePort > 0 ? 1 : Repetitions(probe.Scenario),
            ["source_port"] = probe.SourcePort,
        };
        if (probe.Scenario.Client == Client.Outside)
            question["source"] = addresses[Client.Outside, probe.Scenario.Service.Family].ToString();
        return question;
    }

    // so many that one of n backends is missed by chance in a few of ten million scenarios
    private static int Repetitions(Scenario scenario) => Differences.Expected(scenario) is Verdict.Served served
        ? served.By.Count switch { 1 => 3, 2 => 24, 3 => 40, _ => 60 }
        : 3;
}
