using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Differential.Model;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Differential.Harness;

/// <summary>
/// A cluster of two nodes, two zones and an outside, with the endpoints and clients of every scenario in it; started in one of the modes.
/// The scenarios are asked once, and the tests of the class look at the same observations.
/// </summary>
public abstract class DifferentialCluster : Tests.Cluster.SandboxFixture
{
    private readonly Mode _mode;
    private readonly string[] _more;
    private readonly Func<int, IReadOnlyList<Scenario>> _scenarios;
    private readonly AddressBook _addresses = new();
    private readonly Lazy<Task<Survey>> _survey;
    private int _services;

    /// <param name="more">Of the agents' options: how nodes reach each other's pods changes no verdict.</param>
    private protected DifferentialCluster(Mode mode, int random, int everyCore = 1, params string[] more)
    {
        _mode = mode;
        _more = more;
        _scenarios = seed => ScenarioGenerator.Generate(mode, random, new Random(seed), everyCore);
        _survey = new Lazy<Task<Survey>>(SurveyAsync);
    }

    internal Mode Mode => _mode;

    /// <summary>Tells the modes apart: of the sandbox and of the table of results.</summary>
    internal string Name => string.Join('-', ["diff", _mode.ToString().ToLowerInvariant(), .. _more.Where(o => !o.StartsWith('-'))]);

    internal AddressBook Addresses => _addresses;

    /// <summary>Every scenario with what was seen; asked on the first call.</summary>
    internal Task<Survey> Survey => _survey.Value;

    /// <summary>Asks beside the survey.</summary>
    internal async Task<IReadOnlyList<Row>> AskAsync(IReadOnlyCollection<Probe> probes)
    {
        var observed = await new Prober(Cluster, _addresses).AskAsync(probes);
        return [.. probes.Select(p => Judge.Compare(p.Id, p.Scenario, Differences.Expected(p.Scenario), observed[p.Id], _addresses))];
    }

    /// <summary>Makes Services, each in a place of its own, and waits until they are applied.</summary>
    internal async Task<IReadOnlyList<ServicePlace>> AddAsync(IReadOnlyCollection<ServiceCase> services)
    {
        var places = services.Select(service => new ServicePlace(_services++, service)).ToList();
        await CreateAsync(places);
        await AppliedAsync();
        return places;
    }

    internal static string ClientPod(Site site) => "client-" + site.ToString().ToLowerInvariant();

    internal static string ServerPod(Backend backend) => backend.ToString().ToLowerInvariant();

    private protected override SandboxOptions Options
    {
        get
        {
            var option = _mode switch { Mode.HostOnly => "hostOnly", Mode.Off => "off", _ => "full" };
            return new SandboxOptions
            {
                Name = Name,
                Nodes = 2,
                Zones = ["zone-a", "zone-b"],
                AgentArguments = ["--socket-lb", option, .. _more],
            };
        }
    }

    private protected override async Task FillAsync()
    {
        foreach (var range in ServicePlace.Ranges)
            Cluster.Outside.Route(range, ServiceObjects.NodeName(Site.A));
        foreach (var node in Cluster.Nodes.Values)
            foreach (var pods in new[] { node.Addresses.PodsV4, node.Addresses.PodsV6 })
                Cluster.Outside.Route(pods, node.Name);
        await StartPodsAsync();
    }

    private async Task StartPodsAsync()
    {
        var ports = $"{ServicePlace.TargetPortOnA},{ServicePlace.TargetPortOnB}";
        var pods = new List<JsonObject>();
        foreach (var backend in Backends.All)
            pods.Add(PodObjects.Server(ServerPod(backend), ServiceObjects.NodeName(backend.Site()), backend.IsHostNetwork(), ports));
        foreach (var site in Enum.GetValues<Site>())
            pods.Add(PodObjects.Sleeper(ClientPod(site), ServiceObjects.NodeName(site)));
        await Task.WhenAll(pods.Select(p => Cluster.Client.ApplyAsync(p)));
        var running = await Cluster.WaitForPodsReady(PodObjects.Label, pods.Count);

        IEnumerable<IPAddress> Of(string pod) =>
            running.Single(p => p.Name() == pod).Items("status", "podIPs").Select(i => IPAddress.Parse(i.Text("ip")!));
        foreach (var backend in Backends.All)
            foreach (var address in Of(ServerPod(backend)))
                _addresses.Add(backend, address);
        foreach (var (client, pod) in new[] { (Client.Pod, ClientPod(Site.A)), (Client.OtherPod, ClientPod(Site.B)),
            (Client.Server, ServerPod(Backend.A1)) })
            foreach (var address in Of(pod))
                _addresses.Add(client, address);
        foreach (var (site, host) in new[] { (Site.A, Client.Host), (Site.B, Client.OtherHost) })
        {
            var node = Cluster.Nodes[ServiceObjects.NodeName(site)].Addresses;
            foreach (var address in new[] { node.V4, node.V6 })
            {
                _addresses.Add(site, address);
                _addresses.Add(host, address);
            }
        }
        _addresses.Add(Client.Outside, OutsideAddresses.V4(7));
        _addresses.Add(Client.Outside, OutsideAddresses.V6(7));
    }

    private async Task<Survey> SurveyAsync()
    {
        var scenarios = _scenarios(Seed.Next());
        var places = (await AddAsync([.. scenarios.Select(s => s.Service).Distinct()])).ToDictionary(p => p.Case);

        var clock = Stopwatch.StartNew();
        List<Probe> probes = [.. scenarios.Select(
            (s, i) => new Probe($"{_mode.ToString().ToLowerInvariant()}-{i:000}", s, places[s.Service]))];
        var observed = await new Prober(Cluster, _addresses).AskAsync(probes);
        return new Survey(_mode, probes, observed, clock.Elapsed);
    }

    private async Task CreateAsync(IEnumerable<ServicePlace> places)
    {
        foreach (var batch in places.Chunk(32))
            await Task.WhenAll(batch.SelectMany(p => ServiceObjects.Slices(p, _addresses).Append(ServiceObjects.Service(p)))
                .Select(o => Cluster.Client.ApplyAsync(o)));
    }

    /// <summary>
    /// Waits until both agents have applied all that was created so far. An agent applies one snapshot after the other: when a second
    /// Service, made after the first has answered, answers too, everything that came before the first is in the tables.
    /// </summary>
    private async Task AppliedAsync()
    {
        var service = new ServiceCase(Family.V4, Policy.Cluster, Policy.Cluster, EndpointSets.Named("ready on both"));
        var prober = new Prober(Cluster, _addresses);
        for (var turn = 0; turn < 2; turn++)
        {
            var place = new ServicePlace(_services++, service);
            await CreateAsync([place]);
            var probes = new[] { Client.Pod, Client.OtherPod }
                .Select(c => new Probe(c.ToString(), new Scenario(_mode, service, c, AddressKind.Cluster, Transport.Tcp), place)).ToList();
            await Eventually.True(
                async () => (await prober.AskAsync(probes)).Values.All(o => o.Failures.Count == 0),
                $"the services are in the tables of both nodes, service {place.Name} answers", TimeSpan.FromSeconds(60));
        }
    }
}

/// <summary>What was asked and seen.</summary>
internal sealed record Survey(Mode Mode, IReadOnlyList<Probe> Probes, IReadOnlyDictionary<string, Observation> Observed, TimeSpan Took)
{
    public IReadOnlyList<Row> CompareWith(KubeProxyRules rules, AddressBook addresses) =>
        [.. Probes.Select(p => Judge.Compare(p.Id, p.Scenario, Differences.Expected(p.Scenario, rules), Observed[p.Id], addresses))];
}
