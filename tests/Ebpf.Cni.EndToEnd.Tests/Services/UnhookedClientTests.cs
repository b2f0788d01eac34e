using System.Diagnostics;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using static Ebpf.Cni.EndToEnd.Tests.Cluster.ServiceCluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A client of a node that no socket hook sees, with --socket-lb full: tc serves it on its way out.</summary>
[Collection(FullServices.Name)]
public sealed class UnhookedClientTests(FullCluster cluster)
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("udp")]
    public async Task A_process_outside_of_the_nodes_cgroup_reaches_a_Service(string protocol)
    {
        await using var service = await TestService.Create(cluster, "", "a1", "b1");
        foreach (var address in service.ClusterIPs)
        {
            await cluster.AnsweredBy(NodeA, protocol, address, 80, "a1", "b1"); // inside of it: the control, and it is applied
            var asked = await AskFromOutsideTheCgroup(protocol, address, 80);
            Assert.True(asked.Failures.Count == 0 && asked.Pods.SetEquals(["a1", "b1"]), $"{protocol} to {address}: {asked}");
        }
    }

    // A child of this process is in this process's cgroup, which is not below the node's.
    private async Task<Asked> AskFromOutsideTheCgroup(string protocol, string address, int port)
    {
        var node = cluster.Cluster.Nodes["node-a"].NamespacePath;
        string[] command = [$"--net={node}", "--", .. Program("ask.py", protocol, address, $"{port}", "32", "1")];
        var start = new ProcessStartInfo("nsenter", command) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return Asked.Parse(new ExecResult(process.ExitCode, await output, await errors));
    }
}
