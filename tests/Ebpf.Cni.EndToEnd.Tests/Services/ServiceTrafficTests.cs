using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A Service answers from every kind of client, in both families, over TCP and UDP, and follows its Deployment.</summary>
public abstract class ServiceTrafficTests(ClusterFixture fixture)
{
    [Theory]
    [InlineData("tcp", 80)]
    [InlineData("udp", 81)]
    public async Task A_pod_reaches_every_backend_of_a_service_in_both_families(string protocol, int port)
    {
        foreach (var address in await fixture.AddressesOf("hello"))
        {
            await fixture.AnsweredBy(protocol, address, port, 3);
            var asked = await fixture.Ask(protocol, address, port, 300);
            Assert.Empty(asked.Failures);
            Assert.Equal(300, asked.Answers.Values.Sum());
            Assert.Equal(3, asked.Answers.Count);
            Assert.Equal(2, asked.Answers.Keys.Select(a => a.Split(' ')[1]).Distinct().Count()); // backends on both nodes
            Assert.All(asked.Answers.Values, count => Assert.InRange(count, 50, 150)); // an even choice: 100 expected, 6 sigma is 49
        }
    }

    [Fact]
    public async Task A_port_that_the_service_does_not_have_is_not_answered()
    {
        foreach (var address in await fixture.AddressesOf("hello"))
        {
            var asked = await fixture.Ask("tcp", address, 82, 1, timeout: 1);
            Assert.Empty(asked.Answers);
        }
    }

    [Fact]
    public async Task Traffic_follows_scaling_and_is_refused_at_once_without_endpoints()
    {
        var addresses = await fixture.AddressesOf("hello");
        await Scale(5);
        foreach (var address in addresses)
            await fixture.AnsweredBy("tcp", address, 80, 5);
        await Scale(0);
        foreach (var address in addresses)
            await fixture.Refused(address, 80);
        await Scale(3);
        foreach (var address in addresses)
        {
            await fixture.AnsweredBy("tcp", address, 80, 3);
            await fixture.AnsweredBy("udp", address, 81, 3);
        }
    }

    [Fact]
    public async Task Backends_switch_as_a_set_under_load_and_nothing_fails()
    {
        await fixture.Cluster.ApplyAsync(ClusterFixture.Manifest("backends.yaml"));
        await fixture.Cluster.WaitForPodsReady("group=old", 2);
        await fixture.Cluster.WaitForPodsReady("group=new", 2);
        var address = (await fixture.AddressesOf("switched"))[0];
        await fixture.AnsweredBy("tcp", address, 80, 2);
        using var signals = new SignalFiles();
        var streaming = fixture.Cluster.ExecAsync(
            "client", ClusterFixture.Program("stream.py", address, "80", "50", signals.Started, signals.Stop));
        await signals.WaitStarted(streaming);

        foreach (var group in new[] { "new", "old", "new" })
        {
            await Select(group);
            await Eventually.True(
                async () => (await fixture.Ask("tcp", address, 80, 20)) is var asked && asked.Failures.Count == 0
                && asked.From(group) == 20,
                $"only {group} answers");
        }
        signals.RequestStop();
        var streamed = Streamed.Parse(await streaming);
        Assert.Empty(streamed.Failures);
        Assert.True(streamed.Opened > 60, $"only {streamed.Opened} connections were opened while the backends were switched");
    }

    private Task<JsonObject> Scale(int replicas) => fixture.Cluster.Client.PatchAsync(
        ResourceTypes.Deployments, "default", "web", new() { ["spec"] = new JsonObject { ["replicas"] = replicas } });

    private Task<JsonObject> Select(string group) => fixture.Cluster.Client.PatchAsync(
        ResourceTypes.Services, "default", "switched",
        new() { ["spec"] = new JsonObject { ["selector"] = new JsonObject { ["group"] = group } } });
}

/// <summary>Everything above at the socket.</summary>
public sealed class SocketServiceTests(SocketCluster fixture) : ServiceTrafficTests(fixture), IClassFixture<SocketCluster>
{
    [Theory]
    [InlineData("tcp", 80)]
    [InlineData("udp", 81)]
    public async Task A_node_reaches_services_too(string protocol, int port)
    {
        foreach (var node in fixture.Cluster.NodeNames)
            foreach (var address in await fixture.AddressesOf("hello"))
            {
                await fixture.AnsweredBy(protocol, address, port, 3);
                var asked = await fixture.AskFromNode(node, protocol, address, port, 60);
                Assert.Empty(asked.Failures);
                Assert.Equal(3, asked.Answers.Count);
            }
    }
}

/// <summary>The same by the tc programs alone.</summary>
public sealed class PacketServiceTests(PacketCluster fixture) : ServiceTrafficTests(fixture), IClassFixture<PacketCluster>;
