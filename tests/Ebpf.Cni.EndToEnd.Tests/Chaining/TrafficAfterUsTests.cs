using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>The real portmap and bandwidth after us, by what their pods' traffic does.</summary>
public sealed class TrafficAfterUsTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    private const string Version = "1.0.0";
    private const int Port = 8080, HostPort = 18090;

    private static readonly string[] Places =
        ["the world", "another node", "a pod of the node", "a pod of another node", "the node itself"];

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task A_hostPort_of_portmap_answers_from_everywhere(string protocol)
    {
        var (node, other) = Nodes();
        using var chain = new ChainFile(node);
        using var otherChain = new ChainFile(other);
        var portmap = new JsonObject
        {
            ["type"] = "portmap",
            ["capabilities"] = new JsonObject { ["portMappings"] = true },
            ["backend"] = "iptables",
            ["runtimeConfig"] = new JsonObject
            {
                ["portMappings"] = new JsonArray(
                    new JsonObject { ["hostPort"] = HostPort, ["containerPort"] = Port, ["protocol"] = protocol }),
            },
        };
        await using var server = await HandMadePod.Make(fixture.Cluster, node, chain.With(portmap));
        await using var client = await HandMadePod.Make(fixture.Cluster, node, chain.With());
        await using var remote = await HandMadePod.Make(fixture.Cluster, other, otherChain.With());
        server.Serve("mapped", Port);
        await Eventually.True(
            async () => Asked.Parse(await client.RunAsync(Question(protocol, server.Address, Port))).Failures.Count == 0,
            "the pod answers at its own address");

        var address = node.Addresses.V4.ToString();
        var silent = new List<string>();
        foreach (var place in Places)
        {
            string[] source = place == "the world" ? ["--source", OutsideAddresses.V4(1).ToString()] : [];
            var question = Question(protocol, address, HostPort, source);
            var asked = Asked.Parse(await (place switch
            {
                "the world" => fixture.Cluster.Outside.ExecAsync(question),
                "another node" => fixture.Cluster.ExecOnNodeAsync(other.Name, question),
                "a pod of the node" => client.RunAsync(question),
                "a pod of another node" => remote.RunAsync(question),
                _ => fixture.Cluster.ExecOnNodeAsync(node.Name, question),
            }));
            if (asked.Failures.Count > 0 || asked.From("mapped") != 2)
                silent.Add($"{place}: {asked}");
        }

        Assert.True(silent.Count == 0, string.Join("; ", silent));
    }

    /// <summary>
    /// What is promised of it behind us: traffic between the pod and its own node. All else passes its queue and its filter by.
    /// </summary>
    [Fact]
    public async Task The_bandwidth_plugin_limits_what_the_pod_and_its_node_say_to_each_other()
    {
        var (node, _) = Nodes();
        using var chain = new ChainFile(node);
        var free = await Rate(node, chain.With());
        foreach (var direction in new[] { "ingress", "egress" })
            Limits.Limited(await Rate(node, chain.With(Limits.Plugin(direction))), free, direction);
    }

    private (SandboxNode Node, SandboxNode Other) Nodes()
    {
        ForeignPlugins.Require();
        Requires.Tool("iptables");
        foreach (var node in fixture.Cluster.Nodes.Values.Where(n => !File.Exists(Path.Combine(n.Directories.CniBinaries, "portmap"))))
            ForeignPlugins.Install(node);
        return (fixture.Cluster.Nodes["node-a"], fixture.Cluster.Nodes["node-b"]);
    }

    private async Task<double> Rate(SandboxNode node, IReadOnlyList<JsonObject> plugins)
    {
        await using var pod = await HandMadePod.Make(fixture.Cluster, node, plugins);
        pod.Serve("limited", Port);
        await Eventually.True(
            async () => (await fixture.AskFromNode(node.Name, "tcp", pod.Address, Port, 1)).Failures.Count == 0,
            "the pod answers its node");
        return await Limits.Rate(command => fixture.Cluster.ExecOnNodeAsync(node.Name, command), pod.Address, Port);
    }

    private static string[] Question(string protocol, string address, int port, params string[] more) =>
        ServiceCluster.Program("ask.py", [protocol, address, $"{port}", "2", "3", .. more]);

    /// <summary>The network configuration of these pods, where the agent looks for it: it tells that plugins come after ours.</summary>
    private sealed class ChainFile : IDisposable
    {
        private readonly string _file;
        private readonly JsonNode _own;

        public ChainFile(SandboxNode node)
        {
            _file = Path.Combine(node.Directories.CniConfiguration, "99-traffic.conflist");
            var installed = Path.Combine(node.Directories.CniConfiguration, "05-ebpf-cni.conflist");
            _own = JsonNode.Parse(File.ReadAllText(installed))!["plugins"]![0]!;
            JsonArray all = [_own.DeepClone(), new JsonObject { ["type"] = "bandwidth" }, new JsonObject { ["type"] = "portmap" }];
            File.WriteAllText(_file, new JsonObject { ["cniVersion"] = Version, ["name"] = "traffic", ["plugins"] = all }.ToJsonString());
        }

        /// <summary>Ours and these.</summary>
        public List<JsonObject> With(params JsonObject[] after)
        {
            List<JsonObject> plugins = [_own.DeepClone().AsObject(), .. after];
            foreach (var plugin in plugins)
                (plugin["cniVersion"], plugin["name"]) = (Version, "traffic");
            return plugins;
        }

        public void Dispose() => File.Delete(_file);
    }
}
