using System.Diagnostics;
using System.Globalization;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>
/// kill -9 of the real agent while the real plugin asks it for things: whatever becomes of each, in the end nothing is left.
/// </summary>
public sealed class KilledAgentTests(SocketCluster fixture, ITestOutputHelper log) : IClassFixture<SocketCluster>
{
    private const int Kills = 12;
    private const int Pods = 6;

    private readonly Dictionary<string, int> _done = [];

    [Fact]
    public async Task Killed_at_any_moment_it_leaves_nothing_behind()
    {
        var seed = Seed.Next();
        var random = new Random(seed);
        var node = fixture.Cluster.Nodes["node-a"];
        var before = await NodeTraces.Read(fixture.Cluster, node);
        var pods = Enumerable.Range(0, Pods).Select(_ => new TestNamespace(node)).ToList();
        var clock = Stopwatch.StartNew();
        try
        {
            for (var kill = 0; kill < Kills; kill++)
            {
                var running = pods.Select(pod => Lives(node, pod, pods.IndexOf(pod), random.Next(2) == 0)).ToList();
                await AfterMilliseconds(random.Next(1, 400));
                await node.KillAgentAsync();
                await Task.WhenAll(running);
                // While nobody is there: a DEL is a success all the same.
                var gone = random.Next(Pods);
                Assert.Equal(0, await Plugin("DEL", node, pods[gone], gone));
                await node.StartAgentAsync();
                await node.WaitAgentReadyAsync();
            }

            for (var i = 0; i < Pods; i++)
                Assert.Equal(0, await Plugin("ADD", node, pods[i], i));
            Assert.NotEqual(before, await NodeTraces.Read(fixture.Cluster, node)); // the control
            for (var i = 0; i < Pods; i++)
                Assert.Equal(0, await Plugin("DEL", node, pods[i], i));
        }
        finally
        {
            pods.ForEach(p => p.Dispose());
        }

        log.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"seed {seed}: {Kills} kills in {clock.Elapsed.TotalSeconds:0.0} s: {string.Join(", "
                + "", _done.OrderBy(d => d.Key).Select(d => $"{d.Value} {d.Key}"))}"));
        Assert.Equal(before, await NodeTraces.Read(fixture.Cluster, node));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(node.Directories.Run, "deletes")));
        Assert.Empty(Directory.EnumerateFiles(node.Directories.State, ".tmp-*", SearchOption.AllDirectories));
    }

    /// <summary>ADD, DEL and ADD again, or only an ADD, until the agent is gone.</summary>
    private async Task Lives(SandboxNode node, TestNamespace pod, int number, bool again)
    {
        await Plugin("ADD", node, pod, number);
        if (!again)
            return;
        await Plugin("DEL", node, pod, number);
        await Plugin("ADD", node, pod, number);
    }

    /// <returns>The plugin's exit code.</returns>
    private async Task<int> Plugin(string command, SandboxNode node, TestNamespace pod, int number)
    {
        string[] program =
        [
            "env", $"CNI_COMMAND={command}", $"CNI_CONTAINERID=killed{number}", $"CNI_NETNS={pod.Path}", "CNI_IFNAME=eth0", "CNI_ARGS=",
            $"CNI_PATH={node.Directories.CniBinaries}", Path.Combine(node.Directories.CniBinaries, "ebpf-cni"),
        ];
        var socket = Path.Combine(node.Directories.Run, "cni.sock");
        var ran = await fixture.Cluster.ExecOnNodeAsync(
            node.Name, program, $"{{\"cniVersion\":\"1.0.0\",\"name\":\"ebpf-cni\",\"type\":\"ebpf-cni\",\"agentSocket\":\"{socket}\"}}");
        lock (_done)
        {
            var what = $"{command} {(ran.ExitCode == 0 ? "succeeded" : "failed")}";
            _done[what] = _done.GetValueOrDefault(what) + 1;
        }

        Assert.StartsWith("{", ran.Output, StringComparison.Ordinal);
        return ran.ExitCode;
    }

    /// <summary>A random moment of what runs, not something to wait for.</summary>
    private static async Task AfterMilliseconds(int milliseconds)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(milliseconds));
        await timer.WaitForNextTickAsync();
    }
}
