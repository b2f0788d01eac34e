using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Routing;

/// <summary>Nodes leave, join and move; links get smaller. Nobody restarts an agent or a pod for it.</summary>
public sealed class NodeChangeTests(ChangingCluster cluster) : IClassFixture<ChangingCluster>
{
    /// <summary>Connections that are kept open.</summary>
    private const int Held = 20;

    private const string PodsOfC = "10.244.3.0/24";
    private const string PodsOfBv6 = "fd00:10:244:2::/64";

    [Fact]
    public async Task The_tunnel_goes_with_the_last_node_that_needs_it_and_comes_with_the_first()
    {
        var client = cluster.Cluster.Client;
        var node = await client.GetAsync(ResourceTypes.Nodes, "", "node-c");
        Assert.Equal("ebc-vxlan", cluster.RoutesOf("a")[PodsOfC]); // the control
        await LosesNothing("b", async () =>
        {
            await client.DeleteAsync(ResourceTypes.Nodes, "", "node-c");
            await Eventually.True(() => !cluster.RoutesOf("a").ContainsKey(PodsOfC), "node-a has no route to node-c");
            await Eventually.True(async () => (await cluster.Mtus("a")).Tunnel == 0, "node-a has no tunnel");
        });
        await cluster.Reaches("pod-a", cluster.PodTargets("b"));

        foreach (var field in (string[])["uid", "resourceVersion", "creationTimestamp"])
            node["metadata"]!.AsObject().Remove(field);
        await client.CreateAsync(ResourceTypes.Nodes, "", node.DeepClone().AsObject());
        await client.PatchAsync(ResourceTypes.Nodes, "", "node-c", new JsonObject { ["status"] = node["status"]!.DeepClone() }, "status");
        await cluster.StartPods("c");
        await cluster.Reaches("pod-a", [.. cluster.PodTargets("c"), .. cluster.NodeTargets("c")]);
        await cluster.Reaches("pod-c", [.. cluster.PodTargets("a"), .. cluster.NodeTargets("b")]);
        Assert.Equal("ebc-vxlan", cluster.RoutesOf("a")[PodsOfC]);
    }

    [Theory, InlineData("c"), InlineData("b")]
    public async Task A_node_is_found_at_its_new_address(string letter)
    {
        var before = cluster.NodeAddresses(letter);
        string[] after = [before[0] + "9", before[1] + "9"];
        await KeepsItsConnections(letter, () => Move(letter, before, after));
        try
        {
            await Check();
            if (letter == "b")
                Assert.Equal($"via {after[0]}", cluster.RoutesOf("a")["10.244.2.0/24"]);
        }
        finally
        {
            await Move(letter, after, before);
        }

        await Check();

        async Task Check()
        {
            await cluster.Reaches("pod-a", cluster.PodTargets(letter));
            await cluster.Reaches("node-a", cluster.PodTargets(letter));
            await cluster.Reaches($"pod-{letter}", [.. cluster.PodTargets("a"), .. cluster.NodeTargets("a")]);
        }
    }

    [Fact]
    public async Task A_neighbour_without_IPv6_of_its_own_is_tunnelled_to_in_IPv6_alone()
    {
        var addresses = cluster.NodeAddresses("b");
        try
        {
            await LosesNothing("b", async () =>
            {
                await Publish("b", [addresses[0]]);
                await Eventually.True(
                    () => cluster.RoutesOf("a")[PodsOfBv6] == "ebc-vxlan"
                        && cluster.RoutesOf("b")["fd00:10:244:1::/64"] == "ebc-vxlan", "both tunnel");
            });
            Assert.Equal($"via {addresses[0]}", cluster.RoutesOf("a")["10.244.2.0/24"]);
            await cluster.Reaches("pod-a", cluster.PodTargets("b"));
            await cluster.Reaches("pod-b", [.. cluster.PodTargets("a"), .. cluster.PodTargets("c")]);
        }
        finally
        {
            await Publish("b", addresses);
        }

        await Eventually.True(() => cluster.RoutesOf("a")[PodsOfBv6] == $"via {addresses[1]}", "neighbours again");
        await cluster.Reaches("pod-a", cluster.PodTargets("b"));
    }

    [Fact]
    public async Task Living_pods_and_the_tunnel_follow_the_uplinks_MTU()
    {
        Assert.Equal((1450, 1450, 1450), await cluster.Mtus("a"));
        try
        {
            await LosesNothing("b", async () =>
            {
                await SetUplinks(1400);
                foreach (var letter in cluster.Letters)
                    await Eventually.True(async () => await cluster.Mtus(letter) == (1350, 1350, 1350), $"node-{letter} follows");
            });
            await cluster.Reaches("pod-a", [.. cluster.PodTargets("b"), .. cluster.PodTargets("c")]);
        }
        finally
        {
            await SetUplinks(1500);
        }

        foreach (var letter in cluster.Letters)
            await Eventually.True(async () => await cluster.Mtus(letter) == (1450, 1450, 1450), $"node-{letter} follows back");
        await cluster.Reaches("pod-a", [.. cluster.PodTargets("b"), .. cluster.PodTargets("c")]);
    }

    [Fact]
    public async Task Routes_that_somebody_flushes_are_back_within_seconds()
    {
        await KeepsItsConnections("b", async () =>
        {
            foreach (var family in new[] { "-4", "-6" })
                (await cluster.Cluster.ExecOnNodeAsync("node-a", ["ip", family, "route", "flush", "proto", "101"])).ThrowIfFailed();
            await cluster.Reaches("pod-a", cluster.PodTargets("b"));
        });
        await cluster.Reaches("node-a", [.. cluster.PodTargets("a"), .. cluster.PodTargets("b"), .. cluster.PodTargets("c")]);
        await cluster.Reaches("pod-a", [.. cluster.PodTargets("b"), .. cluster.PodTargets("c")]);
    }

    [Fact]
    public async Task Forwarding_that_somebody_switches_off_is_on_again_within_seconds()
    {
        var node = cluster.Cluster.Nodes["node-a"];
        node.Namespace.Run(() => File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "0"));
        await Eventually.True(() => node.Namespace.Run(() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim()) == "1",
            "the node forwards", TimeSpan.FromSeconds(15));
    }

    [Fact]
    public async Task A_device_that_somebody_deletes_is_made_again()
    {
        await LosesNothing("b", () => KeepsItsConnections("c", async () =>
        {
            (await cluster.Cluster.ExecOnNodeAsync("node-a", ["ip", "link", "delete", "ebc-vxlan"])).ThrowIfFailed();
            await cluster.Reaches("pod-a", cluster.PodTargets("c"));
        }));
        await cluster.Reaches("node-a", cluster.PodTargets("c"));
    }

    /// <summary>Between pods of node-a and of another node no connection fails meanwhile, whether it is open or new.</summary>
    private async Task LosesNothing(string letter, Func<Task> change) => Assert.Empty((await Meanwhile(letter, change)).Failures);

    /// <summary>Meanwhile no open connection is lost. How many new ones fail is the change's doing, and is told.</summary>
    private async Task KeepsItsConnections(string letter, Func<Task> change)
    {
        var streamed = await Meanwhile(letter, change);
        Assert.Empty(streamed.OfHeld);
        Console.WriteLine(
            $"figure: {streamed.Failures.Values.Sum()} of {streamed.Opened} new connections to pod-{letter} failed: "
            + string.Join(", ", streamed.Failures.Keys));
    }

    private async Task<Streamed> Meanwhile(string letter, Func<Task> change)
    {
        var target = cluster.PodTargets(letter)[0];
        using var signals = new SignalFiles();
        var running = cluster.Cluster.ExecAsync(
            "pod-a", ServiceCluster.Program("stream.py", target.Address, $"{target.Port}", $"{Held}", signals.Started, signals.Stop));
        await signals.WaitStarted(running);
        await change();
        signals.RequestStop();
        var streamed = Streamed.Parse(await running);
        Assert.Equal(Held, streamed.Held);
        return streamed;
    }

    private async Task SetUplinks(int mtu)
    {
        foreach (var node in cluster.Cluster.NodeNames)
            (await cluster.Cluster.ExecOnNodeAsync(node, ["ip", "link", "set", "eth0", "mtu", $"{mtu}"])).ThrowIfFailed();
    }

    private async Task Move(string letter, IReadOnlyList<string> from, IReadOnlyList<string> to)
    {
        // the new ones first: with its last address an interface loses its routes
        var script = "echo 1 > /proc/sys/net/ipv4/conf/eth0/promote_secondaries && "
            + $"ip addr add {to[0]}/24 dev eth0 && ip addr add {to[1]}/64 dev eth0 nodad && ip addr del {from[0]}/24 dev eth0 && ip addr "
                + $"del {from[1]}/64 dev eth0";
        (await cluster.Cluster.ExecOnNodeAsync($"node-{letter}", ["sh", "-c", script])).ThrowIfFailed();
        await Publish(letter, to);
    }

    private async Task Publish(string letter, IEnumerable<string> internalIPs)
    {
        var addresses = internalIPs.Select(a => (JsonNode)new JsonObject { ["type"] = "InternalIP", ["address"] = a }).ToArray();
        await cluster.Cluster.Client.PatchAsync(
            ResourceTypes.Nodes, "", $"node-{letter}",
            new JsonObject { ["status"] = new JsonObject { ["addresses"] = new JsonArray(addresses) } }, "status");
    }
}
