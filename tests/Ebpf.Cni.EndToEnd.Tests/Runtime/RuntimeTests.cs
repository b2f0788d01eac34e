using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.EndToEnd.Tests.Runtime.Cri;
using Ebpf.Cni.Testing;
using Grpc.Core;

namespace Ebpf.Cni.EndToEnd.Tests.Runtime;

/// <summary>
/// containerd and runc, as Debian has them, make and remove pod sandboxes by the plugin that the agent installed for them.
/// </summary>
public sealed class RuntimeTests(RuntimeCluster runtime) : IClassFixture<RuntimeCluster>
{
    [Fact]
    public async Task A_sandbox_has_the_agents_addresses_is_reached_and_reaches_others_and_leaves_nothing()
    {
        var before = await Traces();
        var sandbox = await runtime.RunAsync(
            "first", new PortMapping { ContainerPort = ContainerImage.Port, HostPort = 54330 },
            new PortMapping { ContainerPort = ContainerImage.Port, HostPort = 54331, Protocol = Protocol.Udp });
        Assert.True(sandbox.Ready);
        Assert.Equal([AddressFamily.InterNetwork, AddressFamily.InterNetworkV6], sandbox.Addresses.Select(a => a.AddressFamily));
        Assert.Equal(sandbox.Addresses, runtime.AddressesInTheAgent(sandbox.Id));
        Assert.True((await Traces()).Count > before.Count, "the sandbox leaves traces while it lives"); // the control

        var services = await runtime.ServiceAsync("web");
        foreach (var (own, service, node) in sandbox.Addresses.Zip(services, [runtime.Node.Addresses.V4, runtime.Node.Addresses.V6]))
        {
            var family = own.AddressFamily;
            var (b1, world) = (runtime.PodAddress("b1", family), RuntimeCluster.World(family));
            // to it: from the pods of both nodes, which it sees as who they are, and from the nodes themselves
            await Answered($"first container {runtime.PodAddress("a1", family)}", "a1", "tcp", own, ContainerImage.Port);
            await Answered($"first container {b1}", "b1", "tcp", own, ContainerImage.Port);
            await EachAnswers(sandbox);
            // from it, by a process of its container: to a pod elsewhere, to a Service, to itself
            Assert.Equal($"b1 node-b {own}", await runtime.AskFromAsync(sandbox, "tcp", b1, 8080));
            Assert.Equal($"b1 node-b {own}", await runtime.AskFromAsync(sandbox, "udp", b1, 8080));
            Assert.Equal($"first container {own}", await runtime.AskFromAsync(sandbox, "tcp", own, ContainerImage.Port));
            var served = await Task.WhenAll(Enumerable.Range(0, 24).Select(_ => runtime.AskFromAsync(sandbox, "tcp", service, 80)));
            Assert.Equal([$"a1 node-a {own}", $"b1 node-b {own}"], served.Distinct().Order());
            // its ports of the node: from the world, from a pod elsewhere, from itself
            await Answered($"first container {world}", null, "tcp", node, 54330);
            await Answered($"first container {world}", null, "udp", node, 54331);
            await Answered($"first container {b1}", "b1", "tcp", node, 54330);
            Assert.StartsWith("first container ", await runtime.AskFromAsync(sandbox, "tcp", node, 54330), StringComparison.Ordinal);
        }

        await runtime.Cri.StopAsync(sandbox.Id);
        Assert.Empty(runtime.AddressesInTheAgent(sandbox.Id));
        Assert.Empty((await runtime.AskAsync(null, "tcp", runtime.Node.Addresses.V4, 54330)).Answers);
        await runtime.Cri.StopAsync(sandbox.Id); // kubelet does it more than once
        await runtime.Cri.RemoveAsync(sandbox.Id);
        Assert.Equal(before, await Traces());
        Assert.Equal(["ADD", "DEL"], await CommandsHeard());
    }

    [Fact]
    public async Task Twenty_at_once_all_have_their_own_addresses_and_all_go_at_once()
    {
        var before = await Traces();
        var sandboxes = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => runtime.RunAsync($"many-{i}")));
        Assert.All(sandboxes, s => Assert.True(s.Ready));
        Assert.Equal(40, sandboxes.SelectMany(s => s.Addresses).Distinct().Count());
        foreach (var sandbox in sandboxes)
        {
            Assert.Equal(sandbox.Addresses, runtime.AddressesInTheAgent(sandbox.Id));
            await EachAnswers(sandbox);
        }
        await Task.WhenAll(sandboxes.Select(runtime.EndAsync));
        Assert.Equal(before, await Traces());
    }

    [Fact]
    public async Task Sandboxes_outlive_the_agent_and_what_failed_without_it_succeeds_with_it()
    {
        var before = await Traces();
        var sandbox = await runtime.RunAsync("steady");
        await runtime.Node.KillAgentAsync();
        await EachAnswers(sandbox);
        var refused = await Assert.ThrowsAsync<RpcException>(() => runtime.RunAsync("early"));
        Assert.Contains("agent is not reachable", refused.Status.Detail, StringComparison.Ordinal);
        await runtime.Node.StartAgentAsync();
        await runtime.Node.WaitAgentReadyAsync();

        await EachAnswers(sandbox);
        var late = await runtime.RunAsync("late");
        await EachAnswers(late);
        // containerd may keep what it could not make, until it is told to remove it: kubelet does
        foreach (var left in await runtime.Cri.ListAsync())
        {
            await runtime.Cri.StopAsync(left.Id);
            await runtime.Cri.RemoveAsync(left.Id);
        }
        Assert.Equal(before, await Traces());
    }

    [Fact]
    public async Task Sandboxes_outlive_containerd_and_the_next_one_takes_them_over()
    {
        var before = await Traces();
        var sandbox = await runtime.RunAsync("kept");
        await runtime.Containerd.KillAsync();
        await EachAnswers(sandbox);
        await runtime.Containerd.StartAsync();
        Assert.Equal(sandbox.Id, Assert.Single(await runtime.Cri.ListAsync()).Id);
        var found = await runtime.FindAsync("kept", sandbox.Id);
        Assert.True(found.Ready);
        Assert.Equal(sandbox.Addresses, found.Addresses);
        await EachAnswers(found);
        await runtime.EndAsync(sandbox);
        Assert.Equal(before, await Traces());
    }

    [Fact]
    public async Task The_runtime_takes_the_node_for_ready_when_the_agent_has_installed_its_configuration()
    {
        Assert.True((await runtime.Cri.ConditionAsync("NetworkReady")).Status);
        File.Delete(Directory.GetFiles(runtime.Node.Directories.CniConfiguration).Single());
        await Eventually.True(async () => !(await runtime.Cri.ConditionAsync("NetworkReady")).Status,
            "the network is not ready without a configuration");
        await RestartAgent();
        await Eventually.True(async () => (await runtime.Cri.ConditionAsync("NetworkReady")).Status, "the network is ready again");
    }

    /// <summary>containerd 1.6 has a CNI library from before GC and STATUS, and does not CHECK.</summary>
    private async Task<IReadOnlyList<string>> CommandsHeard()
    {
        const string counter = "ebpf_cni_cni_request_duration_seconds_count{command=\"";
        var metrics = await runtime.Node.MetricsAsync();
        return [.. metrics.Split('\n').Where(l => l.StartsWith(counter, StringComparison.Ordinal))
            .Select(l => l[counter.Length..].Split('"')[0]).Distinct().Order()];
    }

    private async Task RestartAgent()
    {
        await runtime.Node.KillAgentAsync();
        await runtime.Node.StartAgentAsync();
        await runtime.Node.WaitAgentReadyAsync();
    }

    private Task<List<string>> Traces() => NodeTraces.Read(runtime.Cluster, runtime.Node);

    private async Task Answered(string answer, string? pod, string protocol, IPAddress address, int port)
    {
        var asked = await runtime.AskAsync(pod, protocol, address, port);
        Assert.True(asked.Failures.Count == 0 && asked.Answers.Keys.Single() == answer,
            $"{pod ?? "the world"}, {protocol} to {address}:{port}: {asked}; expected {answer}");
    }

    /// <summary>Both of its addresses, asked from both nodes.</summary>
    private async Task EachAnswers(Sandbox sandbox)
    {
        foreach (var address in sandbox.Addresses)
            foreach (var node in runtime.Cluster.Nodes.Values)
                Assert.StartsWith(sandbox.Name + " container ", await RuntimeCluster.GetAsync(node.Namespace, address, ContainerImage.Port),
                    StringComparison.Ordinal);
    }
}
