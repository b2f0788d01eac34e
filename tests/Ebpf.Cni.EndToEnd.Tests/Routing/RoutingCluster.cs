using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Routing;

/// <summary>
/// Three nodes: a and b on one layer 2, c behind a router that knows no pods. On each a pod that answers and asks, and a server on the
/// node's own network; two Services of the pods: "inside" and, with a NodePort, "outside".
/// </summary>
public abstract class RoutingCluster(string name, params string[] agentArguments) : SandboxFixture
{
    public const int PodPort = 8080;
    public const int HostPort = 8081;
    public const int ServicePort = 80;

    /// <summary>Every pod's address is in one of these.</summary>
    public const string PodRanges = "10.244.0.0/16,fd00:10:244::/48";

    private readonly Dictionary<string, JsonObject> _pods = [];

    private protected override SandboxOptions Options => new()
    {
        Name = name, Nodes = 3, Links = [0, 0, 1],
        // verifying often: an idle tunnel goes after the second time
        AgentArguments = ["--verify-period", "1", .. agentArguments],
    };

    public IReadOnlyList<string> Letters { get; } = ["a", "b", "c"];

    public int NodePort { get; private set; }

    /// <summary>Of the Service "inside", one a family.</summary>
    public IReadOnlyList<string> ClusterIPs { get; private set; } = [];

    private protected override async Task FillAsync()
    {
        var manifest = new StringBuilder();
        foreach (var letter in Letters)
        {
            manifest.Append(Pod($"pod-{letter}", letter, PodPort, host: false)).Append("---\n");
            manifest.Append(Pod($"host-{letter}", letter, HostPort, host: true)).Append("---\n");
        }

        foreach (var (service, type) in (ReadOnlySpan<(string, string)>)[("inside", "ClusterIP"), ("outside", "NodePort")])
            manifest.Append(System.Globalization.CultureInfo.InvariantCulture,
                $"apiVersion: v1\nkind: Service\nmetadata: {{name: {service}}}\nspec: {{type: {type}, ipFamilyPolicy: RequireDualStack, "
                    + $"selector: {{app: pod}}, ports: [{Port("TCP")}, {Port("UDP")}]}}\n---\n");
        await Cluster.ApplyAsync(manifest.ToString());
        await WaitPods();
        foreach (var service in (string[])["inside", "outside"])
            await Cluster.Client.WaitForEndpointsAsync(service, Letters.Count);
        var inside = await Cluster.Client.GetAsync(ResourceTypes.Services, "default", "inside");
        ClusterIPs = [.. inside.Texts("spec", "clusterIPs")];
        var outside = await Cluster.Client.GetAsync(ResourceTypes.Services, "default", "outside");
        NodePort = (int)(outside.Items("spec", "ports").First().Number("nodePort") ?? 0);
        Assert.All(outside.Items("spec", "ports"), p => Assert.Equal(NodePort, p.Number("nodePort")));
    }

    /// <summary>IPv4 and IPv6.</summary>
    public IReadOnlyList<string> AddressesOf(string pod) => [.. _pods[pod].Items("status", "podIPs").Select(i => i.Text("ip")!)];

    public IReadOnlyList<string> NodeAddresses(string letter)
    {
        var addresses = Cluster.Nodes["node-" + letter].Addresses;
        return [addresses.V4.ToString(), addresses.V6.ToString()];
    }

    /// <summary>Asks all targets from a pod, or from a node itself.</summary>
    public async Task<IReadOnlyList<Answered>> AskAll(string client, IEnumerable<Target> targets)
    {
        var input = JsonSerializer.Serialize(targets.Select(t => new { name = t.Name, address = t.Address, port = t.Port }));
        var program = ServiceCluster.Program("matrix.py");
        var ran = client.StartsWith("node-", StringComparison.Ordinal)
            ? await Cluster.ExecOnNodeAsync(client, program, input)
            : await Cluster.ExecAsync(client, program, input);
        return [.. JsonNode.Parse(ran.ThrowIfFailed().Output)!.AsArray().Select(a => new Answered(
            client, a!.AsObject().Text("name")!, a.AsObject().Text("address")!, a["answers"].Deserialize<Dictionary<string, string>>()!))];
    }

    /// <summary>Waits until everything asked from this client is answered.</summary>
    public async Task Reaches(string client, params Target[] targets)
    {
        IReadOnlyList<Answered> last = [];
        try
        {
            await Eventually.True(async () => (last = await AskAll(client, targets)).All(a => a.Ok), "");
        }
        catch (TimeoutException)
        {
            Assert.Fail($"not everything is reached: {string.Join("\n", last.Where(a => !a.Ok))}");
        }
    }

    public Target[] PodTargets(string letter) => [.. AddressesOf($"pod-{letter}").Select(a => new Target($"pod-{letter}", a, PodPort))];

    public Target[] NodeTargets(string letter) => [.. NodeAddresses(letter).Select(a => new Target($"node-{letter}", a, HostPort))];

    /// <summary>What was asked.</summary>
    public Target TargetOf(Answered answer) => new(answer.To, answer.Address, answer.To[..^1] switch
    {
        "pod-" => PodPort,
        "node-" => HostPort,
        "nodeport-" => NodePort,
        _ => ServicePort,
    });

    /// <summary>The routes of a node to others' pods: destination → "via GATEWAY" or the device's name.</summary>
    public IReadOnlyDictionary<string, string> RoutesOf(string letter)
    {
        using var netlink = RouteNetlink.Open(Cluster.Nodes["node-" + letter].Namespace);
        var links = netlink.Links().ToDictionary(l => l.Index, l => l.Name);
        return netlink.Routes(0x65).Where(r => r.Destination.PrefixLength is not (32 or 128))
            .ToDictionary(r => r.Destination.ToString(),
                r => r.Gateway is { } gateway ? $"via {gateway}" : links.GetValueOrDefault(r.Ifindex, "?"));
    }

    /// <summary>Of the tunnel's device, of the pod's veth on the node and inside; 0 for what is not there.</summary>
    public async Task<(int Tunnel, int Host, int Pod)> Mtus(string letter)
    {
        using var netlink = RouteNetlink.Open(Cluster.Nodes["node-" + letter].Namespace);
        var links = netlink.Links();
        var inside = (await Cluster.ExecAsync($"pod-{letter}", ["ip", "-o", "link", "show", "eth0"])).ThrowIfFailed().Output.Split(' ');
        return (
            links.FirstOrDefault(l => l.Name == "ebc-vxlan")?.Mtu ?? 0,
            links.Single(l => l.Name.StartsWith("ecni", StringComparison.Ordinal)).Mtu,
            int.Parse(inside[Array.IndexOf(inside, "mtu") + 1], System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>Makes a node's pods again, which went with its Node object.</summary>
    public async Task StartPods(string letter)
    {
        await Cluster.ApplyAsync(Pod($"pod-{letter}", letter, PodPort, host: false));
        await Cluster.ApplyAsync(Pod($"host-{letter}", letter, HostPort, host: true));
        await WaitPods();
    }

    private async Task WaitPods()
    {
        foreach (var app in (string[])["pod", "host"])
            foreach (var pod in await Cluster.WaitForPodsReady($"app={app}", Letters.Count))
                _pods[pod.Name()] = pod;
    }

    private static string Port(string protocol) =>
        $"{{name: {protocol.ToLowerInvariant()}, protocol: {protocol}, port: {ServicePort}, targetPort: {PodPort}}}";

    private static string Pod(string name, string letter, int port, bool host)
    {
        var command = string.Join(", ", ServiceCluster.Program("server.py", name, $"node-{letter}", $"{port}").Select(part => $"'{part}'"));
        return $"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {{app: {(host ? "host" : "pod")}}}}}\n"
            + $"spec:\n  nodeName: node-{letter}\n  hostNetwork: {(host ? "true" : "false")}\n  terminationGracePeriodSeconds: 1\n"
            + $"  containers:\n    - name: main\n      image: python:3-slim\n      command: [{command}]\n"
            + $"      readinessProbe: {{tcpSocket: {{port: {port}}}, periodSeconds: 1}}\n";
    }
}

/// <summary>Somebody to be asked.</summary>
public sealed record Target(string Name, string Address, int Port);

/// <summary>What programs/matrix.py heard of one target.</summary>
/// <param name="Answers">By question ("tcp small"): the answer, or "failed: ...".</param>
public sealed record Answered(string From, string To, string Address, IReadOnlyDictionary<string, string> Answers)
{
    public string Family => ServiceCluster.FamilyOf(Address);

    public bool Ok => Answers.Count >= 3 && Answers.Values.All(a => !a.StartsWith("failed", StringComparison.Ordinal));

    /// <summary>What the asked took the asker for, where it says so.</summary>
    public IEnumerable<string> Peers => Answers.Where(a => a.Key.EndsWith("small", StringComparison.Ordinal))
        .Select(a => a.Value.Split(' ')).Where(a => a.Length == 3).Select(a => a[2]);

    /// <summary>Who answered the small questions.</summary>
    public IEnumerable<string> Servers => Answers.Where(a => a.Key.EndsWith("small", StringComparison.Ordinal))
        .Select(a => a.Value.Split(' ')[0]);

    public override string ToString() => $"{From} -> {To} {Family} {string.Join(" ", Answers.Select(a => $"{a.Key}: {a.Value};"))}";
}

/// <summary>Direct where possible, else tunnelled: the default.</summary>
public sealed class AutoCluster() : RoutingCluster("r-auto");

/// <summary>Everything tunnelled, between pods that believe in an MTU that does not fit into the tunnel: they must learn.</summary>
public sealed class TunnelCluster() : RoutingCluster("r-tunnel", "--routing", "tunnel", "--mtu", "1500");

/// <summary>As <see cref="AutoCluster"/>, for tests that change nodes.</summary>
public sealed class ChangingCluster() : RoutingCluster("r-change");

/// <summary>Tunnelled over IPv6, without socket hooks.</summary>
public sealed class UnderlayCluster() : RoutingCluster("r-v6", "--routing", "tunnel", "--tunnel-underlay", "ipv6", "--socket-lb", "off");
