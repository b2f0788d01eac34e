using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>All tests here run on nodes that forward nothing through their stacks; and the agent adds no rule of its own.</summary>
public abstract class FirewallTests(ServiceCluster cluster)
{
    [Fact]
    public async Task The_agent_has_written_no_rule()
    {
        foreach (var node in cluster.Cluster.NodeNames)
        {
            Assert.Equal(["table inet t"], (await Rules(node, "nft", "list", "tables")).Split('\n', StringSplitOptions.RemoveEmptyEntries));
            Assert.Single((await Rules(node, "nft", "list", "chains")).Split('\n'),
                line => line.Trim().StartsWith("chain ", StringComparison.Ordinal));
            Assert.Equal("", (await Rules(node, "iptables-legacy-save")).Trim());
            Assert.Equal("", (await Rules(node, "ip6tables-legacy-save")).Trim());
        }
    }

    [Fact]
    public async Task The_firewall_drops_what_the_stack_forwards_and_pods_are_reached_all_the_same()
    {
        // the control: a stranger's packet that the node would route is dropped and counted
        const string stranger = "198.18.0.1";
        cluster.Cluster.Outside.Route(System.Net.IPAddress.Parse(stranger), "node-a");
        var before = await Dropped("node-a");
        await cluster.RunAsync(World, ["ping", "-c", "1", "-W", "1", stranger]);
        Assert.True(await Dropped("node-a") > before, "the firewall works");
        cluster.Cluster.Outside.Unroute(System.Net.IPAddress.Parse(stranger));

        await using var service = await TestService.Create(cluster, "type: NodePort", "b1", "a1");
        var counts = await Task.WhenAll(cluster.Cluster.NodeNames.Select(Dropped));
        foreach (var protocol in new[] { "tcp", "udp" })
        {
            await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-a", "IPv4"), service.NodePort, "a1", "b1");
            await cluster.AnsweredBy(World, protocol, cluster.NodeAddress("node-c", "IPv6"), service.NodePort, "a1", "b1");
            await cluster.AnsweredBy(PodC, protocol, service.ClusterIPs[1], 80, "a1", "b1");
            await cluster.AnsweredBy(PodC, protocol, cluster.AddressOf("b1", "IPv4"), 8080, "b1");
        }
        Assert.Equal(counts, await Task.WhenAll(cluster.Cluster.NodeNames.Select(Dropped)));
    }

    private async Task<string> Rules(string node, params string[] command) =>
        (await cluster.Cluster.ExecOnNodeAsync(node, command)).ThrowIfFailed().Output;

    private async Task<long> Dropped(string node)
    {
        var rules = await Rules(node, "nft", "list", "chain", "inet", "t", "f");
        return long.Parse(rules.Split("packets ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
    }
}

[Collection(FullServices.Name)]
public sealed class SocketFirewallTests(FullCluster cluster) : FirewallTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketFirewallTests(OffCluster cluster) : FirewallTests(cluster);
