using System.Text.Json;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>UDP sockets are what their clients take them for: one flow with each address that they ask, however they ask.</summary>
public abstract class DatagramSocketTests(ServiceCluster cluster)
{
    public static TheoryData<string, int> Clients => new() { { "client-a", 0 }, { "client-a", 1 }, { "client-b", 0 }, { "client-b", 1 } };

    [Theory]
    [MemberData(nameof(Clients))]
    [InlineData("node-a", 0)]
    [InlineData("node-b", 1)]
    public async Task Connected_and_then_asked_by_its_address_it_is_answered_and_the_other_way_round(string who, int family)
    {
        await using var service = await TestService.Create(cluster, "", "a1", "b1", "c1");
        var (client, address) = (Named(who), service.ClusterIPs[family]);
        await cluster.AnsweredBy(client, "udp", address, 80, "a1", "b1", "c1");
        var answered = await Run<Dictionary<string, int>>(client, "one", address, "80");
        Assert.Equal(family == 0 ? 6 : 3, answered.Count);
        Assert.All(answered, way => Assert.Equal(20, way.Value));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    public async Task Two_addresses_with_one_backend_answer_as_themselves_and_so_does_the_backend(string who, int family)
    {
        await using var first = await TestService.Create(cluster, "", "b1");
        await using var second = await TestService.Create(cluster, "", "b1");
        var (client, pod) = (Named(who), cluster.AddressOf("b1", family == 0 ? "IPv4" : "IPv6"));
        foreach (var service in new[] { first, second })
            await cluster.AnsweredBy(client, "udp", service.ClusterIPs[family], 80, "b1");
        var heard = await Run<Dictionary<string, string[]>>(
            client, "two", first.ClusterIPs[family], second.ClusterIPs[family], "80", pod, "8080");
        Assert.Equal(family == 0 ? 2 : 1, heard.Count);
        Assert.All(heard.Values,
            from => Assert.Equal([first.ClusterIPs[family], second.ClusterIPs[family], pod, first.ClusterIPs[family], pod], from));
    }

    [Theory]
    [MemberData(nameof(Clients))]
    [InlineData("node-a", 0)]
    [InlineData("node-b", 1)]
    public async Task A_socket_that_was_connected_before_there_was_an_endpoint_is_refused_and_then_gets_through(string who, int family)
    {
        await using var service = await TestService.Create(cluster, "");
        var client = Named(who);
        await cluster.Refused(client, "udp", service.ClusterIPs[family], 80);
        await using var flow = Flow.StartKept(cluster, client, service.ClusterIPs[family], 80);
        await flow.Becomes("ECONNREFUSED");
        await service.SetBackends("a1");
        await flow.Becomes("a1");
    }

    private static Client Named(string name) =>
        name.StartsWith("node", StringComparison.Ordinal) ? new Client.Node(name) : new Client.Pod(name);

    private async Task<T> Run<T>(Client client, params string[] arguments) =>
        JsonSerializer.Deserialize<T>((await cluster.RunAsync(client, Program("datagrams.py", arguments))).ThrowIfFailed().Output)!;
}

[Collection(FullServices.Name)]
public sealed class SocketDatagramTests(FullCluster cluster) : DatagramSocketTests(cluster);

[Collection(OffServices.Name)]
public sealed class PacketDatagramTests(OffCluster cluster) : DatagramSocketTests(cluster);
