using System.Diagnostics;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Sandbox.Tests.Kubectl;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Cluster;

public sealed class SandboxClusterTests : IDisposable
{
    private readonly FakeArtifacts _artifacts = new();

    public void Dispose() => _artifacts.Dispose();

    [Fact]
    public async Task Agents_are_started_killed_stopped_and_asked_for_metrics_by_each_way()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-agents");
        var node = cluster.Nodes["node-b"];
        var first = Assert.NotNull(node.AgentPid);
        Assert.Equal("# node-b /metrics\n", await node.MetricsAsync());
        Assert.Equal("# node-b /metrics\n", await cluster.MetricsAsync("node-b"));
        Assert.Contains(first, CgroupProcesses.All(node.CgroupPath));
        Assert.Equal(node.Namespace.Inode, NamespaceOf(first));

        await node.KillAgentAsync();
        Assert.Null(node.AgentPid);
        var answer = await Assert.ThrowsAsync<ApiStatusException>(() => cluster.MetricsAsync("node-b"));
        Assert.Equal(502, (int)answer.Code);
        await node.StartAgentAsync();
        await node.WaitAgentReadyAsync();
        Assert.Equal(0, await node.StopAgentAsync());
        await cluster.Client.PostAsync(NodeEndpoint.AgentPath("node-b", "start"));
        Assert.NotNull(node.AgentPid);
        Assert.Equal(["starts", "starts", "ends", "starts"], File.ReadLines(node.AgentLog).Select(line => line.Split(' ')[0]));
        // once for the pod, not for each start of its container; and it sees the node's first process
        var prepared = Assert.Single(File.ReadLines(Path.Combine(node.Directories.Logs, "prepare.log")));
        Assert.Equal("prepares " + new FileInfo(node.Mounts.Path).LinkTarget, prepared);
        Assert.NotEqual("prepares " + new FileInfo("/proc/self/ns/mnt").LinkTarget, prepared);
    }

    [Fact]
    public async Task The_api_is_reached_on_every_nodes_loopback()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-api");
        foreach (var node in cluster.NodeNames)
        {
            var config = cluster.Nodes[node].Directories.Kubeconfig;
            var ran = await cluster.ExecOnNodeAsync(node, ["kubectl", "--kubeconfig", config, "get", "nodes", "-o", "name"]);
            Assert.Equal("node/node-a\nnode/node-b\n", ran.ThrowIfFailed().Output);
        }
    }

    [Fact]
    public async Task Kubectl_reaches_an_agents_commands_log_and_ports_through_its_pod()
    {
        Requires.Root();
        Requires.Tool("kubectl");
        _artifacts.AddProgram("ecni", """
            #!/bin/sh
            echo "$@ on $EBPF_CNI_NODE_NAME, TERM=$TERM"
            readlink /proc/self/ns/net
            readlink /proc/self/ns/mnt
            grep CapBnd /proc/self/status

            """);
        await using var cluster = await StartAsync("t-inside");
        using var kubectl = new KubectlProgram(cluster.KubeconfigPath);
        var pods = await kubectl.OutputAsync("-n", "kube-system", "get", "pods", "--field-selector=spec.nodeName=node-b", "-o", "name");
        var pod = pods.Trim();
        var agent = cluster.Nodes["node-b"];

        // the README's command, which takes any of the pods; and one node's
        var any = await kubectl.OutputAsync("-n", "kube-system", "exec", "ds/ebpf-cni", "--", "ecni", "status");
        Assert.StartsWith("status on node-", any, StringComparison.Ordinal);
        var inside = (await kubectl.OutputAsync("-n", "kube-system", "exec", pod, "--", "ecni", "status")).Split('\n');
        Assert.Equal("status on node-b, TERM=", inside[0]);
        Assert.Equal(new FileInfo($"/proc/{agent.AgentPid}/ns/net").LinkTarget, inside[1]);
        Assert.Equal(new FileInfo($"/proc/{agent.AgentPid}/ns/mnt").LinkTarget, inside[2]);
        var rights = File.ReadLines($"/proc/{agent.AgentPid}/status").First(line => line.StartsWith("CapBnd", StringComparison.Ordinal));
        Assert.Equal(rights, inside[3]);

        await kubectl.UntilLineAsync(
            line => line == "ends", () => _ = agent.StopAgentAsync(), "-n", "kube-system", "logs", "-f", pod, "-c", "agent");
        var refused = await kubectl.RunAsync(["-n", "kube-system", "exec", pod, "--", "ecni", "status"]);
        Assert.NotEqual(0, refused.Code);
        Assert.Contains("the agent of node-b does not run", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("prepares", await kubectl.OutputAsync("-n", "kube-system", "logs", pod, "-c", "prepare"), StringComparison.Ordinal);
        await agent.StartAgentAsync();
        await agent.WaitAgentReadyAsync();
        using var forward = await kubectl.ForwardAsync("-n", "kube-system", pod, ":10249");
        using var http = new HttpClient();
        Assert.Equal("# node-b /metrics\n", await http.GetStringAsync(new Uri($"http://127.0.0.1:{forward.Port}/metrics")));
    }

    [Fact]
    public async Task Waiting_goes_on_through_an_api_that_misbehaves()
    {
        Requires.Root();
        await using var cluster = await StartAsync("t-waiting");
        var waiting = cluster.Client.WaitAsync(ResourceTypes.ConfigMaps, "default", null, maps => maps.Count == 1, "a map appears");
        await Eventually.True(() => cluster.Misbehaviour.OpenWatches > 0, "the watch is open");
        cluster.Misbehaviour.Add(new Fault(FaultKind.Status, "/configmaps", Count: 1, Status: 503));
        cluster.Misbehaviour.Add(new Fault(FaultKind.Garbage, "/configmaps", Count: 1));
        cluster.Misbehaviour.DropWatches();
        await Eventually.True(
            async () =>
            {
                try
                {
                    await cluster.ApplyAsync("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: here}\n");
                    return true;
                }
                catch (Exception e) when (e is ApiStatusException or System.Text.Json.JsonException or HttpRequestException)
                {
                    return false; // met the fault itself
                }
            },
            "the map is stored");
        Assert.Equal("here", Assert.Single(await waiting).Name());
    }

    [Fact]
    public async Task A_sandbox_whose_process_was_killed_is_removed_by_its_name_and_a_living_one_is_not_started_twice()
    {
        Requires.Root();
        const string name = "t-killed";
        var paths = new SandboxPaths(name);
        using var owner = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "ebpf-cni-sandbox"), ["up", "--name", name, "--artifacts", _artifacts.Path])
                { RedirectStandardOutput = true })!;
        try
        {
            await Eventually.True(() => SandboxRecord.Read(paths) is { Ready: true }, "the sandbox is up");
            using (var view = SandboxView.Open(name))
                Assert.Equal(2, (await view.Client.ListAsync(ResourceTypes.Nodes)).Count);
            var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync(name));
            Assert.Contains($"process {owner.Id}", refused.Message, StringComparison.Ordinal);
        }
        finally
        {
            owner.Kill();
            await owner.WaitForExitAsync();
        }
        var left = CgroupProcesses.All(paths.CgroupPath).Select(ProcessIdentity.Of).ToList();
        Assert.Equal(4, left.Count); // each node's first process and its agent
        Assert.True(await SandboxCluster.CleanUpAsync(name));
        Assert.All(left, process => Assert.False(process is { IsAlive: true }));
        Assert.Empty(paths.ExistingNamespaces());
        Assert.Empty(paths.ExistingBpffsDirectories());
        Assert.False(Directory.Exists(paths.CgroupPath));
        Assert.False(Directory.Exists(paths.WorkDirectory));
        Assert.False(await SandboxCluster.CleanUpAsync(name));
    }

    [Fact]
    public async Task An_agent_that_does_not_start_is_told_with_its_last_words_and_nothing_is_left()
    {
        Requires.Root();
        var agent = Path.Combine(_artifacts.Path, "ebpf-cni-agent");
        File.SetUnixFileMode(agent, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.WriteAllText(agent, "#!/bin/sh\n[ \"$1\" = prepare ] && exit 0\necho last words\nexit 7\n");
        var failure = await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync("t-failing"));
        Assert.Contains("exit code 7", failure.Message, StringComparison.Ordinal);
        Assert.Contains("last words", failure.Message, StringComparison.Ordinal);
        Assert.False(await SandboxCluster.CleanUpAsync("t-failing"));
    }

    [Fact]
    public async Task Outside_is_the_nodes_way_to_the_world_and_reaches_what_it_is_routed_to()
    {
        Requires.Root();
        await using var cluster = await SandboxCluster.StartAsync(new SandboxOptions { Name = "t-outside", Zones = ["east", "west"] });
        var labels = (await cluster.Client.ListAsync(ResourceTypes.Nodes))
            .Select(node => node.Text("metadata", "labels", "topology.kubernetes.io/zone"));
        Assert.Equal(["east", "west"], labels);
        foreach (var (world, service) in ((string, string)[])[("198.51.100.7", "203.0.113.5"), ("2001:db8:51::7", "2001:db8:99::5")])
        {
            (await cluster.ExecOnNodeAsync("node-a", ["ping", "-c1", "-W5", world])).ThrowIfFailed();
            // each node takes the address for its own: who answers tells where the route led
            var address = System.Net.IPAddress.Parse(service);
            Assert.NotEqual(0, (await AskAsync(world, service)).ExitCode);
            foreach (var node in cluster.NodeNames)
            {
                (await cluster.ExecOnNodeAsync(node, ["ip", "addr", "add", service, "dev", "lo"])).ThrowIfFailed();
                cluster.Outside.Route(address, node);
                // The kernel makes an IPv6 address the node's own a moment after it has said so.
                await Eventually.True(async () => (await AskAsync(world, service)).ExitCode == 0, $"{node} answers at {service}");
                (await cluster.ExecOnNodeAsync(node, ["ip", "addr", "del", service, "dev", "lo"])).ThrowIfFailed();
                Assert.NotEqual(0, (await AskAsync(world, service)).ExitCode);
            }
            cluster.Outside.Unroute(address);
        }

        Task<ExecResult> AskAsync(string from, string to) => cluster.Outside.ExecAsync(["ping", "-c1", "-W1", "-I", from, to]);
    }

    private Task<SandboxCluster> StartAsync(string name) =>
        SandboxCluster.StartAsync(new SandboxOptions { Name = name, Artifacts = _artifacts.Path });

    private static ulong NamespaceOf(int process)
    {
        using var found = Kernel.Namespaces.NetworkNamespace.Open($"/proc/{process}/ns/net");
        return found.Inode;
    }
}
