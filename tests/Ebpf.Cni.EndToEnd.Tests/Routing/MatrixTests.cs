using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Routing;

/// <summary>Direct on the shared layer 2, tunnelled to the node behind the router.</summary>
public sealed class AutoMatrixTests(AutoCluster cluster) : IClassFixture<AutoCluster>
{
    [Fact]
    public async Task Everybody_reaches_everybody_and_the_router_sees_no_pod()
    {
        _ = cluster.Cluster;
        using var leaks = await Leaks.Watch(cluster.Cluster);
        var answers = await Matrix.Ask(cluster);
        Matrix.Print("auto", answers);
        Matrix.PrintSum("auto", answers);
        Matrix.Check(cluster, answers);
        Assert.Contains("tunnelled: IPv4", leaks.Lines);
        Assert.Empty(leaks.Found);
    }

    [Fact]
    public void Neighbours_are_gateways_and_the_one_behind_the_router_is_at_the_end_of_the_tunnel()
    {
        _ = cluster.Cluster;
        Assert.Equal(
            new Dictionary<string, string>
            {
                ["10.244.2.0/24"] = "via 172.30.0.12", ["fd00:10:244:2::/64"] = "via fd00:30::12", ["10.244.3.0/24"] = "ebc-vxlan",
                    ["fd00:10:244:3::/64"] = "ebc-vxlan",
            },
            cluster.RoutesOf("a"));
        Assert.All(cluster.RoutesOf("c").Values, way => Assert.Equal("ebc-vxlan", way));
    }

    [Fact]
    public async Task Pods_have_an_MTU_that_leaves_room_for_the_tunnel()
    {
        Assert.Equal((1450, 1450, 1450), await cluster.Mtus("a"));
    }

    /// <summary>The control: with the tunnel cut, exactly what needs it fails; a pod's packet outside of the tunnel is seen.</summary>
    [Fact]
    public async Task With_the_tunnel_cut_only_neighbours_are_reached()
    {
        _ = cluster.Cluster;
        (await cluster.Cluster.Outside.ExecAsync(
            ["nft", "table inet cut { chain f { type filter hook forward priority 0; udp dport 8472 drop; }; }"])).ThrowIfFailed();
        try
        {
            var answers = await cluster.AskAll("pod-a",
                [.. cluster.PodTargets("b"), .. cluster.PodTargets("c"), .. cluster.NodeTargets("c")]);
            Assert.All(answers, a => Assert.Equal(a.To == "pod-b", a.Ok));
        }
        finally
        {
            (await cluster.Cluster.Outside.ExecAsync(["nft", "delete table inet cut"])).ThrowIfFailed();
        }

        // A node that does send a pod's packet as it is.
        using var leaks = await Leaks.Watch(cluster.Cluster);
        foreach (var (pod, world) in cluster.AddressesOf("pod-a").Zip([OutsideAddresses.V4(9), OutsideAddresses.V6(9)]))
            (await cluster.Cluster.ExecOnNodeAsync("node-a", ServiceCluster.Program("forge.py", pod, world.ToString(), "9999")))
                .ThrowIfFailed();
        await Eventually.True(() => leaks.Found.Count == 2, "the watch sees both");
        await cluster.Reaches("pod-a", cluster.PodTargets("c"));
    }
}

/// <summary>Everything tunnelled, and pods that believe in a larger MTU.</summary>
public sealed class TunnelMatrixTests(TunnelCluster cluster) : IClassFixture<TunnelCluster>
{
    [Fact]
    public async Task Everybody_reaches_everybody_also_with_packets_too_big_for_the_tunnel()
    {
        _ = cluster.Cluster;
        using var leaks = await Leaks.Watch(cluster.Cluster);
        var answers = await Matrix.Ask(cluster);
        Matrix.PrintSum("tunnel", answers);
        Matrix.Check(cluster, answers);
        Assert.Contains("tunnelled: IPv4", leaks.Lines);
        Assert.Empty(leaks.Found);
        foreach (var letter in cluster.Letters)
            Assert.All(cluster.RoutesOf(letter).Values, way => Assert.Equal("ebc-vxlan", way));
    }
}

/// <summary>Tunnelled over IPv6.</summary>
public sealed class UnderlayMatrixTests(UnderlayCluster cluster) : IClassFixture<UnderlayCluster>
{
    [Fact]
    public async Task Everybody_reaches_everybody_over_an_IPv6_underlay()
    {
        _ = cluster.Cluster;
        using var leaks = await Leaks.Watch(cluster.Cluster);
        var answers = await Matrix.LargeOnceMore(cluster, Matrix.WithoutLargeToTunnelEnds(await Matrix.Ask(cluster)));
        Matrix.PrintSum("IPv6 underlay", answers);
        Matrix.Check(cluster, answers);
        // Once more, now that everybody has sent what was too big for somebody.
        foreach (var letter in cluster.Letters)
            await cluster.Reaches($"pod-{letter}", [.. cluster.Letters.SelectMany(cluster.PodTargets)]);
        Assert.Contains("tunnelled: IPv6", leaks.Lines);
        Assert.Empty(leaks.Found);
        Assert.Equal((1430, 1430, 1430), await cluster.Mtus("a"));
    }
}
