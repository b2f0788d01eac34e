using System.Net;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>Pods on their way out of the cluster have their node's address, except where their own is known.</summary>
[Collection(FullServices.Name)]
public sealed class MasqueradeTests(FullCluster cluster)
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task Pods_that_leave_have_the_address_of_their_node(string protocol)
    {
        await using var world = await WorldServer.Start(cluster);
        foreach (var family in new[] { "IPv4", "IPv6" })
            foreach (var (client, node) in new[] { (PodA, "node-a"), (PodC, "node-c") })
            {
                var asked = await cluster.AnsweredBy(client, protocol, Address(family, 5), WorldServer.Port, "world");
                Assert.Equal([cluster.NodeAddress(node, family)], asked.Peers);
            }
    }

    [Fact]
    public async Task Two_pods_with_the_same_port_do_not_meet()
    {
        await using var world = await WorldServer.Start(cluster);
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            string[] pods = ["client-a", "a1", "a2"];
            var asked = await Task.WhenAll(pods.Select(
                pod => cluster.Ask(new Client.Pod(pod), "udp", Address(family, 5), WorldServer.Port, 30, 5, "--source-port", "40555")));
            Assert.All(asked, a => Assert.Equal($"world outside {cluster.NodeAddress("node-a", family)}: 30", a.ToString()));
        }
    }

    [Fact]
    public async Task Pings_leave_and_their_answers_come_back()
    {
        foreach (var family in new[] { "IPv4", "IPv6" })
            foreach (var client in new[] { PodA, PodB })
                (await cluster.RunAsync(client, ["ping", "-c", "2", "-i", "0.1", "-W", "3", Address(family, 5)])).ThrowIfFailed();
    }

    [Fact]
    public async Task Exempt_destinations_see_the_pod_itself()
    {
        await using var world = await WorldServer.Start(cluster);
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            var pod = cluster.AddressOf("client-a", family);
            cluster.Cluster.Outside.Route(IPAddress.Parse(pod), "node-a");
            var asked = await cluster.AnsweredBy(PodA, "tcp", Address(family, 200), WorldServer.Port, "world");
            Assert.Equal([pod], asked.Peers);
            Assert.Equal([cluster.NodeAddress("node-a", family)],
                (await cluster.AnsweredBy(PodA, "tcp", Address(family, 5), WorldServer.Port, "world")).Peers);
            cluster.Cluster.Outside.Unroute(IPAddress.Parse(pod));
        }
    }

    [Fact]
    public async Task What_stays_in_the_cluster_keeps_its_address()
    {
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            Assert.Equal([cluster.AddressOf("client-a", family)],
                (await cluster.AnsweredBy(PodA, "tcp", cluster.AddressOf("b1", family), 8080, "b1")).Peers);
            Assert.Equal([cluster.AddressOf("client-a", family)],
                (await cluster.AnsweredBy(PodA, "tcp", cluster.AddressOf("a1", family), 8080, "a1")).Peers);
            // h1 is at its node's address
            Assert.Equal([cluster.AddressOf("client-b", family)],
                (await cluster.AnsweredBy(PodB, "tcp", cluster.NodeAddress("node-a", family), 8080, "h1")).Peers);
            Assert.Equal([cluster.AddressOf("client-a", family)],
                (await cluster.AnsweredBy(PodA, "tcp", cluster.NodeAddress("node-a", family), 8080, "h1")).Peers);
        }
    }

    private static string Address(string family, int host) =>
        (family == "IPv4" ? OutsideAddresses.V4(host) : OutsideAddresses.V6(host)).ToString();
}

/// <summary>programs/server.py outside of the cluster, at all of the world's addresses.</summary>
internal sealed class WorldServer : IAsyncDisposable
{
    public const int Port = 8099;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    private WorldServer(ServiceCluster cluster) =>
        _running = cluster.RunAsync(World, Program("server.py", "world", "outside", $"{Port}"), _stop.Token);

    public static async Task<WorldServer> Start(ServiceCluster cluster)
    {
        var server = new WorldServer(cluster);
        await cluster.AnsweredBy(World, "tcp", OutsideAddresses.V4(5).ToString(), Port, "world");
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }
}
