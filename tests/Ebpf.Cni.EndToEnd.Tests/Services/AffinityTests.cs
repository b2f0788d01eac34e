using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>sessionAffinity: ClientIP.</summary>
public abstract class AffinityTests(ServiceCluster cluster)
{
    private const string Sticky = "sessionAffinity: ClientIP";

    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task A_client_stays_with_its_backend(string protocol)
    {
        await using var service = await TestService.Create(cluster, $"type: LoadBalancer, {Sticky}", "a1", "a2", "b1", "c1");
        foreach (var family in new[] { 0, 1 })
        {
            await Stays(PodA, protocol, service.ClusterIPs[family], 80);
            await Stays(NodeB, protocol, service.ClusterIPs[family], 80);
            await Stays(World, protocol, cluster.NodeAddress("node-a", family == 0 ? "IPv4" : "IPv6"), service.NodePort);
            await Stays(World, protocol, service.LoadBalancerIPs[family], 80);
        }
    }

    [Fact]
    public async Task Clients_from_outside_are_told_apart_by_their_addresses()
    {
        await using var service = await TestService.Create(cluster, $"type: NodePort, {Sticky}", "a1", "a2", "b1", "c1");
        var pods = new HashSet<string>();
        for (var host = 1; host <= 20; host++) // all with one of four: below one in 10^11
            pods.UnionWith((await Answered(new Client.Outside(host), "tcp", cluster.NodeAddress("node-b", "IPv4"), service.NodePort,
                3)).Pods);
        Assert.True(pods.Count > 1, $"twenty clients all got {string.Join(' ', pods)}");
    }

    [Fact]
    public async Task It_is_switched_on_and_off()
    {
        await using var service = await TestService.Create(cluster, "type: NodePort", "a1", "a2", "b1");
        foreach (var (client, address, port) in new[]
            { (PodA, service.ClusterIPs[0], 80), (World, cluster.NodeAddress("node-a", "IPv4"), service.NodePort) })
        {
            await cluster.AnsweredBy(client, "tcp", address, port, "a1", "a2", "b1");
            await service.Change(Sticky);
            await Stays(client, "tcp", address, port);
            await service.Change("sessionAffinity: None");
            await cluster.AnsweredBy(client, "tcp", address, port, "a1", "a2", "b1");
        }
    }

    [Fact]
    public async Task It_ends_when_the_client_was_away_for_longer_than_the_timeout()
    {
        await using var service = await TestService.Create(
            cluster, $"type: NodePort, {Sticky}, sessionAffinityConfig: {{clientIP: {{timeoutSeconds: 1}}}}", "a1", "a2", "b1", "c1");
        foreach (var (client, address, port) in new[]
            { (PodA, service.ClusterIPs[0], 80), (World, cluster.NodeAddress("node-a", "IPv4"), service.NodePort) })
        {
            await Stays(client, "tcp", address, port);
            // a client that pauses for more than the second may get another backend: three times in four it does
            await Eventually.True(async () => (await cluster.Ask(client, "tcp", address, port, 3, 5, "--pause", "2.1")).Pods.Count > 1,
                "it changes its backend");
        }
    }

    [Fact]
    public async Task A_client_of_a_backend_that_went_gets_another_and_stays_there()
    {
        await using var service = await TestService.Create(cluster, Sticky, "a1", "b1");
        var first = Assert.Single((await Answered(PodA, "tcp", service.ClusterIPs[0], 80, 5)).Pods);
        var other = first == "a1" ? "b1" : "a1";
        await service.SetBackends(other, "c1");
        // All are answered meanwhile: no question is lost between the two.
        await Eventually.True(
            async () => await cluster.Ask(PodA, "tcp", service.ClusterIPs[0], 80, 1) is var asked
                && (asked.Failures.Count == 0 ? !asked.Pods.Contains(first) : throw new InvalidOperationException($"{asked}")),
            "it left");
        await Stays(PodA, "tcp", service.ClusterIPs[0], 80);
    }

    [Fact]
    public async Task With_the_local_policy_it_stays_on_the_node()
    {
        await using var service = await TestService.Create(
            cluster, $"type: LoadBalancer, externalTrafficPolicy: Local, {Sticky}", "a1", "a2", "b1");
        foreach (var family in new[] { "IPv4", "IPv6" })
        {
            await Stays(World, "tcp", cluster.NodeAddress("node-a", family), service.NodePort);
            var asked = await cluster.Ask(World, "tcp", cluster.NodeAddress("node-a", family), service.NodePort, 10);
            Assert.Subset(new HashSet<string> { "a1", "a2" }, new HashSet<string>(asked.Pods));
        }
    }

    private async Task Stays(Client client, string protocol, string address, int port) => await Eventually.True(
        async () => (await cluster.Ask(client, protocol, address, port, 20)) is { Failures.Count: 0 } asked && asked.Pods.Count == 1,
        $"{client}: one backend alone answers at {address}:{port}", TimeSpan.FromSeconds(10));

    private async Task<Asked> Answered(Client client, string protocol, string address, int port, int count)
    {
        Asked? last = null;
        await Eventually.True(async () => (last = await cluster.Ask(client, protocol, address, port, count)).Failures.Count == 0,
            $"{address}:{port} answers");
        return last!;
    }
}

[Collection(FullServices.Name)]
public sealed class SocketAffinityTests(FullCluster cluster) : AffinityTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketAffinityTests(OffCluster cluster) : AffinityTests(cluster);
