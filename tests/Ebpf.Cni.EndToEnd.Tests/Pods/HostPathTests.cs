using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>
/// Who is on a node and who is on its pods' network reach each other, whatever translates: with FORWARD dropping everything (the cluster's
/// nodes do), and with reverse path filters off, strict (RHEL, cloud images) and loose.
/// </summary>
public abstract class HostPathTests(ServiceCluster cluster)
{
    [Theory]
    [InlineData("0")]
    [InlineData("1")]
    [InlineData("2")]
    public async Task Nodes_pods_and_hostNetwork_pods_reach_each_other(string filter)
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", "b1", "h1");
        // Each agent hears of the Service by itself: what is asked before is refused, and rightly so.
        foreach (var (client, node) in (IReadOnlyList<(Client, string)>)[(NodeA, "node-a"), (NodeB, "node-b")])
            foreach (var family in (string[])["IPv4", "IPv6"])
                foreach (var protocol in (string[])["tcp", "udp"])
                    await cluster.AnsweredBy(client, protocol, cluster.NodeAddress(node, family), service.NodePort, "a1", "b1", "h1");
        try
        {
            Filter(filter);
            foreach (var family in (string[])["IPv4", "IPv6"])
                await Reach(service, family);
        }
        finally
        {
            Filter("0");
        }
    }

    private async Task Reach(TestService service, string family)
    {
        var failed = new List<string>();
        foreach (var client in (Client[])[NodeA, NodeB, PodA, PodB])
        {
            foreach (var server in (string[])["a1", "b1"]) // kubelet's probes are the node's own pod asked by the node
                await Ask(client, cluster.AddressOf(server, family), 8080, server);
            foreach (var node in (string[])["node-a", "node-b"])
            {
                if (node == "node-a")
                    await Ask(client, cluster.NodeAddress(node, family), 8080, "h1"); // on the node's own network
                await Ask(client, cluster.NodeAddress(node, family), service.NodePort, "a1", "b1", "h1");
            }

            await Ask(client, service.ClusterIPs[family == "IPv4" ? 0 : 1], 80, "a1", "b1", "h1");
        }

        Assert.True(failed.Count == 0, string.Join('\n', failed)); // whole: each line counts

        async Task Ask(Client client, string address, int port, params string[] servers)
        {
            foreach (var protocol in (string[])["tcp", "udp"])
            {
                var asked = await cluster.Ask(client, protocol, address, port, servers.Length == 1 ? 2 : 24, 3);
                if (asked.Failures.Count > 0 || !asked.Pods.IsSubsetOf(servers))
                    failed.Add($"{client} {protocol} {address}:{port}: {asked}");
            }
        }
    }

    private void Filter(string value)
    {
        foreach (var node in cluster.Cluster.Nodes.Values)
            node.Namespace.Run(() =>
            {
                foreach (var scope in (string[])["all", "default"])
                    File.WriteAllText($"/proc/sys/net/ipv4/conf/{scope}/rp_filter", value);
            });
    }
}

[Collection(FullServices.Name)]
public sealed class FullHostPathTests(FullCluster cluster) : HostPathTests(cluster);

[Collection(OffServices.Name)]
public sealed class OffHostPathTests(OffCluster cluster) : HostPathTests(cluster);
