using System.Globalization;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Agents;

/// <summary>The dataplane does not need the agent to run, and an agent that starts takes over what is there.</summary>
public sealed class AgentRestartTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    [Fact]
    public async Task Killing_agents_during_a_thousand_connections_breaks_none_and_the_tables_equal_a_fresh_compile()
    {
        var address = (await fixture.AddressesOf("hello"))[0];
        await fixture.AnsweredBy("tcp", address, 80, 3);
        using var signals = new SignalFiles();
        var streaming = fixture.Cluster.ExecAsync(
            "client", ClusterFixture.Program("stream.py", address, "80", "1000", signals.Started, signals.Stop));
        await signals.WaitStarted(streaming);

        foreach (var node in fixture.Cluster.Nodes.Values)
        {
            await node.KillAgentAsync();
            var alone = await fixture.Ask("tcp", address, 80, 50);
            Assert.Empty(alone.Failures);
            await node.StartAgentAsync();
            await node.WaitAgentReadyAsync();
        }
        signals.RequestStop();
        var streamed = Streamed.Parse(await streaming);
        Assert.Empty(streamed.Failures);
        Assert.True(streamed.Opened >= 1000, $"only {streamed.Opened} connections");

        foreach (var node in fixture.Cluster.Nodes.Values)
            Assert.Equal(await KernelTables.Compile(fixture.Cluster, node), KernelTables.Read(node));
    }

    [Fact]
    public async Task A_change_made_while_an_agent_was_down_is_applied_by_its_start()
    {
        var node = fixture.Cluster.Nodes.Values.First();
        await node.KillAgentAsync();
        await fixture.Cluster.ApplyAsync(
            "apiVersion: v1\nkind: Service\nmetadata: {name: late}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n");
        await fixture.Cluster.Client.WaitForEndpointsAsync("late", 3);
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        Assert.Equal(await KernelTables.Compile(fixture.Cluster, node), KernelTables.Read(node));

        await node.KillAgentAsync();
        await fixture.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", "late");
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        await Eventually.True(
            async () => (await KernelTables.Compile(fixture.Cluster, node)).SequenceEqual(KernelTables.Read(node)),
            "the deleted service is gone from the tables");
    }

    [Fact]
    public async Task A_stopped_agent_ends_in_order_and_leaves_the_dataplane_working()
    {
        var node = fixture.Cluster.Nodes.Values.First();
        Assert.Equal(0, await node.StopAgentAsync());
        try
        {
            foreach (var address in await fixture.AddressesOf("hello"))
                Assert.Empty((await fixture.Ask("tcp", address, 80, 60)).Failures);
        }
        finally
        {
            await node.StartAgentAsync();
            await node.WaitAgentReadyAsync();
        }
    }

    [Fact]
    public async Task Losing_the_api_changes_nothing_and_its_return_brings_what_was_missed()
    {
        var (node, other) = (fixture.Cluster.Nodes.Values.First(), fixture.Cluster.Nodes.Values.Last());
        var (before, beforeThere) = (KernelTables.Read(node), KernelTables.Read(other));
        var address = (await fixture.AddressesOf("hello"))[0];
        await OnNode(
            node, "nft",
            "table inet lost { chain o { type filter hook output priority 0; "
            + $"tcp dport {{ {SandboxCluster.NodeApiPort}, {SandboxCluster.NodeSecureApiPort} }} reject with tcp reset; }}; }}");
        try
        {
            fixture.Cluster.Misbehaviour.DropWatches();
            await Eventually.True(async () => (await Connected(node)).All(c => c == 0), "the agent has lost the API, in all kinds");
            await fixture.Cluster.ApplyAsync(
                "apiVersion: v1\nkind: Service\nmetadata: {name: missed}\n"
                + "spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}\n");
            await fixture.Cluster.Client.WaitForEndpointsAsync("missed", 3);
            await Eventually.True(() => KernelTables.Read(other).Count > beforeThere.Count, "the other node has heard of it");
            Assert.Empty((await fixture.AskFromNode(node.Name, "tcp", address, 80, 50)).Failures);
            Assert.Equal(before, KernelTables.Read(node));
            Assert.All(await Connected(node), c => Assert.Equal(0, c));
            fixture.Cluster.Misbehaviour.CompactHistory();
        }
        finally
        {
            await OnNode(node, "nft", "delete table inet lost");
        }

        await Eventually.True(
            async () => (await KernelTables.Compile(fixture.Cluster, node)).SequenceEqual(KernelTables.Read(node)),
            "what was missed is in the tables");
        Assert.Empty((await fixture.AskFromNode(node.Name, "tcp", (await fixture.AddressesOf("missed"))[0], 80, 50)).Failures);
        await fixture.Cluster.Client.DeleteAsync(ResourceTypes.Services, "default", "missed");
        await Eventually.True(() => KernelTables.Read(node).SequenceEqual(before), "the deleted service is gone");
    }

    private async Task OnNode(SandboxNode node, params string[] command) =>
        (await fixture.Cluster.ExecOnNodeAsync(node.Name, command)).ThrowIfFailed();

    /// <summary>For each kind, whether the agent has a watch: 1 or 0.</summary>
    private async Task<double[]> Connected(SandboxNode node)
    {
        var metrics = await fixture.Cluster.MetricsAsync(node.Name);
        double[] kinds =
        [
            .. metrics.Split('\n').Where(l => l.StartsWith("ebpf_cni_watch_connected{", StringComparison.Ordinal))
                .Select(l => double.Parse(l.Split(' ')[^1], CultureInfo.InvariantCulture)),
        ];
        Assert.Equal(3, kinds.Length);
        return kinds;
    }
}
