using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>
/// Three nodes in two zones (a and b east, c west), an outside with a load balancer, and running pods for tests to make Services of: a1,
/// a2, b1, b2, c1 answer, h1 answers on node-a's own network, client-a, client-b and client-c ask. Every node's firewall drops whatever
/// it would forward: none of this may need the host's stack to let it through.
/// </summary>
public abstract class ServiceCluster(string name, params string[] agentArguments) : SandboxFixture
{
    /// <summary>The only rules there are on a node.</summary>
    private const string Firewall = "table inet t { chain f { type filter hook forward priority 0; policy drop; counter; }; }";

    /// <summary>How many more questions a "never" asks.</summary>
    private const int Probes = 5;

    private static readonly (string Name, string Node, bool Server)[] Pods =
    [
        ("a1", "node-a", true), ("a2", "node-a", true), ("b1", "node-b", true), ("b2", "node-b", true), ("c1", "node-c", true),
            ("h1", "node-a", true),
        ("client-a", "node-a", false), ("client-b", "node-b", false), ("client-c", "node-c", false),
    ];

    private readonly Dictionary<string, JsonObject> _pods = [];

    public static Client PodA { get; } = new Client.Pod("client-a");

    public static Client PodB { get; } = new Client.Pod("client-b");

    public static Client PodC { get; } = new Client.Pod("client-c");

    public static Client NodeA { get; } = new Client.Node("node-a");

    public static Client NodeB { get; } = new Client.Node("node-b");

    public static Client NodeC { get; } = new Client.Node("node-c");

    public static Client World { get; } = new Client.Outside();

    private protected override SandboxOptions Options => new()
    {
        Name = name,
        Nodes = 3,
        Zones = ["east", "east", "west"],
        LoadBalancer = true,
        AgentArguments = agentArguments,
    };

    private protected override async Task FillAsync()
    {
        foreach (var node in Cluster.NodeNames)
            (await Cluster.ExecOnNodeAsync(node, ["nft", Firewall])).ThrowIfFailed();
        await Cluster.ApplyAsync(string.Join("---\n", Pods.Select(Manifest)));
        foreach (var pod in await Cluster.WaitForPodsReady("part=cluster", Pods.Length))
            _pods[pod.Name()] = pod;
    }

    /// <param name="family">"IPv4" or "IPv6".</param>
    public string AddressOf(string pod, string family) =>
        _pods[pod].Items("status", "podIPs").Select(i => i.Text("ip")!).Single(ip => FamilyOf(ip) == family);

    public string NodeOf(string pod) => _pods[pod].Text("spec", "nodeName")!;

    public string NodeAddress(string node, string family) =>
        (family == "IPv4" ? Cluster.Nodes[node].Addresses.V4 : Cluster.Nodes[node].Addresses.V6).ToString();

    public static string FamilyOf(string address) => address.Contains(':', StringComparison.Ordinal) ? "IPv6" : "IPv4";

    /// <summary>The addresses at which a Service's NodePort is reached, of every node and both families.</summary>
    public IReadOnlyList<string> NodeAddresses =>
        [.. Cluster.NodeNames.SelectMany(node => new[] { NodeAddress(node, "IPv4"), NodeAddress(node, "IPv6") })];

    /// <summary>What a client is seen as when nothing translates its address.</summary>
    public string SourceOf(Client client, string family) => client switch
    {
        Client.Pod pod => AddressOf(pod.Name, family),
        Client.Node node => NodeAddress(node.Name, family),
        Client.Outside outside => (family == "IPv4" ? OutsideAddresses.V4(outside.Host) : OutsideAddresses.V6(outside.Host)).ToString(),
        _ => throw new ArgumentException($"no client {client}", nameof(client)),
    };

    /// <summary>Runs a program where the client is.</summary>
    public Task<ExecResult> RunAsync(Client client, IReadOnlyList<string> command, CancellationToken ct = default) => client switch
    {
        Client.Pod pod => Cluster.ExecAsync(pod.Name, command, "", ct),
        Client.Node node => Cluster.ExecOnNodeAsync(node.Name, command, "", ct),
        _ => Cluster.Outside.ExecAsync(command, "", ct),
    };

    /// <summary>Asks, each time anew; see programs/ask.py for what more there is to say.</summary>
    public async Task<Asked> Ask(Client client, string protocol, string address, int port, int count, double timeout = 5,
        params string[] more)
    {
        string[] source = client is Client.Outside && !more.Contains("--source") ? ["--source", SourceOf(client, FamilyOf(address))] : [];
        var command = Program(
            "ask.py", [protocol, address, $"{port}", $"{count}", timeout.ToString(CultureInfo.InvariantCulture), .. source, .. more]);
        return Asked.Parse(await RunAsync(client, command));
    }

    /// <summary>Waits until all of enough fresh questions are answered, by exactly these pods.</summary>
    /// <returns>The last round of questions.</returns>
    public async Task<Asked> AnsweredBy(Client client, string protocol, string address, int port, params string[] pods)
    {
        Asked? last = null;
        var count = pods.Length == 1 ? 6 : 16 * pods.Length; // that one of n stays out of it: below one in a million
        await Check(
            async () => (last = await Ask(client, protocol, address, port, count, 2)).Failures.Count == 0 && last.Pods.SetEquals(pods),
            () => $"{client}: {protocol} to {address}:{port} answered by {string.Join(' ', pods)}; last: {last}");
        return last!;
    }

    /// <summary>Waits until a question is refused at once; from then on all are.</summary>
    public async Task Refused(Client client, string protocol, string address, int port)
    {
        string[] more = protocol == "udp" ? ["--connected"] : []; // an unconnected socket hears of no error
        // 4 s: the kernel takes an ICMP error that arrives within connect() for a passing one, and heeds the next, after a second
        await Never(
            count => Ask(client, protocol, address, port, count, 4, more), 3,
            asked => asked.Failures.Keys.All(f => f.StartsWith("ConnectionRefusedError", StringComparison.Ordinal)),
            $"{client}: {protocol} to {address}:{port} is refused");
    }

    /// <summary>
    /// Waits until a question vanishes, neither answered nor refused; from then on all do, and every one of them is counted as dropped
    /// because of the Service's rules.
    /// </summary>
    public async Task Dropped(Client client, string protocol, string address, int port)
    {
        var what = $"{client}: {protocol} to {address}:{port} vanishes";
        await Never(count => Ask(client, protocol, address, port, count, 0.4), 0, IsSilent, what);
        var before = await DroppedByRules();
        await Never(count => Ask(client, protocol, address, port, count, 0.4), Probes, IsSilent, what);
        var counted = await DroppedByRules() - before;
        Assert.True(counted > Probes, $"{what}: of {Probes + 1} questions only {counted} packets are counted as dropped");
    }

    /// <summary>Waits until another component drops a question, which it counts in its own way; from then on all vanish.</summary>
    public Task DroppedByOthers(Client client, string protocol, string address, int port, params string[] more) => Never(
        count => Ask(client, protocol, address, port, count, 0.4, more), Probes, IsSilent,
        $"{client}: {protocol} to {address}:{port} vanishes");

    /// <summary>Waits until a question is not answered, whatever is said instead; from then on none is.</summary>
    public Task Silent(Client client, string protocol, string address, int port) => Never(
        count => Ask(client, protocol, address, port, count, 0.4), Probes, _ => true,
        $"{client}: {protocol} to {address}:{port} is not answered");

    private static bool IsSilent(Asked asked) => asked.Failures.Keys.All(f => f.StartsWith("TimeoutError", StringComparison.Ordinal));

    /// <summary>
    /// Waits until one question is not answered, and asks so many more: what fails once may have been an accident, or the last moment of
    /// something else.
    /// </summary>
    private static async Task Never(Func<int, Task<Asked>> ask, int more, Func<Asked, bool> holds, string what)
    {
        Asked? last = null;
        await Check(async () => (last = await ask(1)).Answers.Count == 0 && holds(last), () => $"{what}; last: {last}");
        if (more == 0)
            return;
        var all = await ask(more);
        Assert.True(all.Answers.Count == 0 && holds(all), $"{what}, and then does not; of {more} more: {all}");
    }

    /// <summary>Packets dropped on all nodes for lack of a local endpoint or outside of the source ranges.</summary>
    private async Task<double> DroppedByRules()
    {
        var metrics = await Task.WhenAll(Cluster.NodeNames.Select(node => Cluster.MetricsAsync(node)));
        return metrics.SelectMany(m => m.Split('\n'))
            .Where(l => l.StartsWith("ebpf_cni_packets_total{reason=\"no_local_backend\"", StringComparison.Ordinal)
                || l.StartsWith("ebpf_cni_packets_total{reason=\"source_range\"", StringComparison.Ordinal))
            .Sum(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture));
    }

    public static string[] Program(string program, params string[] arguments) =>
        ["env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "python3", "-I", "-S",
            Path.Combine(AppContext.BaseDirectory, "programs", program), .. arguments];

    /// <summary>A pod that answers as programs/server.py does.</summary>
    public static string ServerCommand(string pod, string node, string ports, double drain = 0)
    {
        var parts = Program("server.py", pod, node, ports, drain.ToString(CultureInfo.InvariantCulture));
        return $"[{string.Join(", ", parts.Select(part => $"'{part}'"))}]";
    }

    private static async Task Check(Func<Task<bool>> condition, Func<string> what)
    {
        try
        {
            await Eventually.True(condition, "", TimeSpan.FromSeconds(10));
        }
        catch (TimeoutException)
        {
            Assert.Fail(what());
        }
    }

    private static string Manifest((string Name, string Node, bool Server) pod)
    {
        var host = pod.Name == "h1";
        var text = new StringBuilder($"apiVersion: v1\nkind: Pod\nmetadata: {{name: {pod.Name}, labels: {{part: cluster}}}}\nspec:\n");
        text.Append(CultureInfo.InvariantCulture, $"  nodeName: {pod.Node}\n  terminationGracePeriodSeconds: 1\n");
        if (host)
            text.Append("  hostNetwork: true\n");
        var command = pod.Server ? ServerCommand(pod.Name, pod.Node, host ? "8080" : "8080,8082") : "[sleep, infinity]";
        text.Append(CultureInfo.InvariantCulture,
            $"  containers:\n    - name: main\n      image: python:3-slim\n      command: {command}\n");
        if (pod.Server)
            text.Append("      readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}\n");
        return text.ToString();
    }
}

/// <summary>
/// Services answered at the socket: the default. Destinations of 198.51.100.128/25 are reached with the pod's own address.
/// </summary>
public sealed class FullCluster() : ServiceCluster(
    "e2e-full", "--masquerade-exempt", "198.51.100.128/25,2001:db8:51::80/121", "--conntrack-sweep-period", "1");

/// <summary>Services answered by the tc programs alone.</summary>
public sealed class OffCluster() : ServiceCluster("e2e-off", "--socket-lb", "off", "--conntrack-sweep-period", "1");

/// <summary>At the socket for the node's own processes, by the tc programs for pods.</summary>
public sealed class HostOnlyCluster() : ServiceCluster("e2e-host", "--socket-lb", "hostOnly", "--conntrack-sweep-period", "1");

[CollectionDefinition(Name)]
public sealed class FullServices : ICollectionFixture<FullCluster>
{
    public const string Name = "services, full";
}

[CollectionDefinition(Name)]
public sealed class OffServices : ICollectionFixture<OffCluster>
{
    public const string Name = "services, off";
}

[CollectionDefinition(Name)]
public sealed class HostOnlyServices : ICollectionFixture<HostOnlyCluster>
{
    public const string Name = "services, hostOnly";
}
