using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>--cni-mode chained: pods of another plugin, made by its real binaries, get Services from us and nothing else.</summary>
public abstract class ChainedTests(ChainedCluster cluster, string podDevice)
{
    private const byte OurRoutes = 0x65;

    [Fact]
    public async Task Pods_and_nodes_reach_Services_on_both_nodes_in_both_families()
    {
        ForeignPlugins.Require();
        foreach (var address in await cluster.AddressesOf("hello"))
        {
            await cluster.AnsweredBy("tcp", address, 80, 3);
            foreach (var node in cluster.Cluster.NodeNames)
                Assert.Empty((await cluster.AskFromNode(node, "tcp", address, 80, 10)).Failures);
        }
    }

    [Fact]
    public async Task What_is_no_Service_goes_the_others_way()
    {
        ForeignPlugins.Require();
        foreach (var pod in await cluster.Cluster.WaitForPodsReady("app=web", 3))
            foreach (var family in new[] { 0, 1 })
                Assert.Empty((await cluster.Ask("tcp", pod["status"]!["podIPs"]![family]!["ip"]!.GetValue<string>(), 8080, 3)).Failures);
    }

    [Fact]
    public async Task Interfaces_addresses_and_routes_are_the_others_and_the_chain_is_its_list_and_us()
    {
        ForeignPlugins.Require();
        await cluster.Cluster.WaitForPodsReady("app=web", 3);
        foreach (var node in cluster.Cluster.Nodes.Values)
        {
            using var netlink = RouteNetlink.Open(node.Namespace);
            Assert.DoesNotContain(netlink.Links(), l => l.Name.StartsWith("ecni", StringComparison.Ordinal));
            Assert.Contains(netlink.Links(), l => l.Name.StartsWith(podDevice, StringComparison.Ordinal));
            Assert.Empty(netlink.Routes(OurRoutes));
            var list = JsonNode.Parse(File.ReadAllText(ChainedCluster.Configuration(node)))!;
            Assert.Equal("other", list["name"]!.GetValue<string>());
            Assert.Equal("ebpf-cni", list["plugins"]!.AsArray()[^1]!["type"]!.GetValue<string>());
        }
    }

    [Fact]
    public async Task A_pod_leaves_nothing_and_a_killed_agents_successor_keeps_the_others()
    {
        ForeignPlugins.Require();
        var node = cluster.Cluster.Nodes["node-a"];
        await cluster.Cluster.WaitForPodsReady("app=web", 3);
        await node.KillAgentAsync();
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        var before = await Traces(node);
        await cluster.Cluster.ApplyAsync(
            $"apiVersion: v1\nkind: Pod\nmetadata: {{name: passing, labels: {{app: passing}}}}\nspec:\n  nodeName: {node.Name}\n  "
            + $"terminationGracePeriodSeconds: 1\n"
            + "  containers: [{name: c, image: busybox, command: [sleep, infinity]}]\n");
        await cluster.Cluster.WaitForPodsReady("app=passing", 1);
        Assert.True((await Traces(node)).Count > before.Count, "the pod leaves traces while it lives"); // the control
        await cluster.Cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", "passing");
        await cluster.Cluster.Client.WaitAsync(ResourceTypes.Pods, "default", "app=passing", pods => pods.Count == 0, "the pod is gone");
        await Eventually.True(async () => before.SequenceEqual(await Traces(node)), "nothing is left of the pod");
        await cluster.AnsweredBy("tcp", (await cluster.AddressesOf("hello"))[0], 80, 3);
    }

    /// <summary>The other plugin's list has the bandwidth plugin: its filter sits behind our program on the same interface.</summary>
    [Fact]
    public async Task The_bandwidth_plugin_limits_both_directions()
    {
        ForeignPlugins.Require();
        var node = cluster.Cluster.Nodes["node-a"];
        var free = await Rate(node, null);
        foreach (var direction in new[] { "ingress", "egress" })
            Limits.Limited(await Rate(node, direction), free, direction);
    }

    private async Task<double> Rate(SandboxNode node, string? limit)
    {
        var list = JsonNode.Parse(await File.ReadAllTextAsync(ChainedCluster.Configuration(node)))!;
        var plugins = list["plugins"]!.AsArray().Select(p => p!.DeepClone().AsObject()).ToList();
        if (limit is not null)
            plugins.Insert(plugins.Count - 1, Limits.Plugin(limit));
        foreach (var plugin in plugins)
            (plugin["cniVersion"], plugin["name"]) = (list["cniVersion"]!.GetValue<string>(), list["name"]!.GetValue<string>());
        await using var pod = await HandMadePod.Make(cluster.Cluster, node, plugins);
        pod.Serve("limited", 8080);
        await cluster.AnsweredBy("tcp", pod.Address, 8080, 1);
        return await Limits.Rate(command => cluster.Cluster.ExecAsync("client", command), pod.Address, 8080);
    }

    /// <summary>A bridge's port has a random name: it is the number that counts.</summary>
    private async Task<List<string>> Traces(SandboxNode node) =>
        [.. (await NodeTraces.Read(cluster.Cluster, node))
            .Select(t => t.StartsWith("link veth", StringComparison.Ordinal) ? "link veth" : t)];
}

public sealed class BridgedTests(BridgedCluster cluster) : ChainedTests(cluster, "cni0"), IClassFixture<BridgedCluster>;

public sealed class BridgedPacketTests(BridgedPacketCluster cluster) : ChainedTests(cluster, "cni0"), IClassFixture<BridgedPacketCluster>
{
    private readonly BridgedPacketCluster _cluster = cluster;

    /// <summary>systemd's MACAddressPolicy does so with veths that the other plugin has just made.</summary>
    [Fact]
    public async Task Pods_whose_node_sides_got_other_MAC_addresses_keep_their_services_over_a_restart()
    {
        ForeignPlugins.Require();
        await _cluster.Cluster.WaitForPodsReady("app=web", 3);
        foreach (var node in _cluster.Cluster.Nodes.Values)
        {
            await node.KillAgentAsync();
            using (var netlink = RouteNetlink.Open(node.Namespace))
                foreach (var (number, link) in netlink.Links()
                    .Where(l => l.Name.StartsWith("veth", StringComparison.Ordinal) && l.Master != 0).Index())
                    netlink.SetMac(link.Index, [0x02, 0x11, 0x22, 0x33, 0x44, (byte)number]);
            await node.StartAgentAsync();
            await node.WaitAgentReadyAsync();
        }

        foreach (var address in await _cluster.AddressesOf("hello"))
            await _cluster.AnsweredBy("tcp", address, 80, 3);
    }
}

public sealed class RoutedPacketTests(RoutedPacketCluster cluster) : ChainedTests(cluster, "veth"), IClassFixture<RoutedPacketCluster>;
