using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Fabric;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>What is on disk and what is in the kernel come apart: a machine that was switched off, pins that somebody removed.</summary>
public sealed class RebootTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    private const byte OurRoutes = 0x65;

    [Fact]
    public async Task After_a_reboot_nodes_come_up_clean_and_serve_new_pods()
    {
        var cluster = fixture.Cluster;
        var old = await cluster.Client.ListAsync(ResourceTypes.Pods, "default");
        var records = cluster.Nodes.Values.ToDictionary(n => n.Name, n => Records(n).Count);
        Assert.Equal(old.Count, records.Values.Sum());
        foreach (var node in cluster.Nodes.Values)
        {
            await node.KillAgentAsync();
            SwitchOff(node);
        }

        foreach (var pod in old)
            NetworkNamespace.Remove(new SandboxPaths(cluster.Name).PodNamespace(pod.Uid()));
        await Start();
        foreach (var node in cluster.Nodes.Values)
        {
            Assert.Empty(Records(node));
            Assert.Contains($"endpoints: 0 adopted, {records[node.Name]} removed", File.ReadAllText(node.AgentLog),
                StringComparison.Ordinal);
            Assert.Contains($"ebpf_cni_addresses_resting{{family=\"ipv4\"}} {records[node.Name]}", await cluster.MetricsAsync(node.Name),
                StringComparison.Ordinal);
            Assert.DoesNotContain(await NodeTraces.Read(cluster, node),
                t => t.Contains("ecni", StringComparison.Ordinal) && !t.Contains("vxlan", StringComparison.Ordinal));
            Assert.Equal("1 1", node.Namespace.Run(() =>
                $"{File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim()} "
                    + $"{File.ReadAllText("/proc/sys/net/ipv6/conf/all/forwarding").Trim()}"));
        }

        // The kubelet sees that its sandboxes are gone: DEL for each, and new ones.
        foreach (var pod in old)
            await cluster.Client.DeleteAsync(ResourceTypes.Pods, "default", pod.Name(), graceSeconds: 0);
        await cluster.Client.WaitAsync(
            ResourceTypes.Pods, "default", null, pods => pods.All(p => old.All(o => o.Uid() != p.Uid())), "the old pods are gone");
        await cluster.ApplyAsync(Path.Combine(Repository.Root, "examples", "hello.yaml"));
        var pods = (await cluster.WaitForPodsReady("app=web", 3)).Concat(await cluster.WaitForPodsReady("app=client", 1)).ToList();
        Assert.Empty(pods.SelectMany(Ips).Intersect(old.SelectMany(Ips))); // those rest
        await Serve();
        Assert.Equal(4, cluster.Nodes.Values.Sum(n => Records(n).Count));
        foreach (var node in cluster.Nodes.Values)
            Assert.Equal(Records(node).Count, LinksOf(node).Count);
    }

    [Fact]
    public async Task Pins_that_somebody_removed_come_back_with_the_agent_and_pods_live_on()
    {
        var cluster = fixture.Cluster;
        await Serve();
        var before = await Traces();
        foreach (var node in cluster.Nodes.Values)
        {
            await node.KillAgentAsync();
            Empty(node.BpffsRoot);
        }

        // Sockets' and uplinks' programs go with their pins; filters on pods' interfaces do not, and serve with what the tables held.
        foreach (var node in cluster.Nodes.Values)
            Assert.Empty(Directory.GetFileSystemEntries(node.BpffsRoot));
        await fixture.AnsweredBy("tcp", (await fixture.AddressesOf("hello"))[0], 80, 3);
        await Start();
        await Serve();
        Assert.Equal(before, await Traces());

        async Task<List<string>> Traces()
        {
            var all = new List<string>();
            foreach (var node in cluster.Nodes.Values)
                all.AddRange(await NodeTraces.Read(cluster, node));
            return all;
        }
    }

    private async Task Start()
    {
        foreach (var node in fixture.Cluster.Nodes.Values)
            await node.StartAgentAsync();
        foreach (var node in fixture.Cluster.Nodes.Values)
            await node.WaitAgentReadyAsync();
    }

    private async Task Serve()
    {
        await fixture.Cluster.Client.WaitForEndpointsAsync("hello", 3);
        foreach (var address in await fixture.AddressesOf("hello"))
            await fixture.AnsweredBy("tcp", address, 80, 3);
    }

    /// <summary>Nothing of the kernel's survives, and neither does what is on a tmpfs.</summary>
    private static void SwitchOff(SandboxNode node)
    {
        Empty(node.BpffsRoot);
        Empty(node.Directories.Run);
        node.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            foreach (var link in netlink.Links().Where(l => l.Name.StartsWith("ecni", StringComparison.Ordinal)))
                netlink.DeleteLink(link.Index);
            foreach (var route in netlink.Routes(OurRoutes))
                netlink.DeleteRoute(route);
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "0");
            File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "0");
        });
    }

    private static void Empty(string directory)
    {
        foreach (var below in Directory.EnumerateDirectories(directory))
            Directory.Delete(below, recursive: true);
        foreach (var file in Directory.EnumerateFiles(directory))
            File.Delete(file);
    }

    private static List<string> Records(SandboxNode node) =>
        [.. Directory.EnumerateFiles(Path.Combine(node.Directories.State, "endpoints"))];

    private static List<string> LinksOf(SandboxNode node)
    {
        using var netlink = RouteNetlink.Open(node.Namespace);
        return [.. netlink.Links().Select(l => l.Name)
            .Where(n => n.StartsWith("ecni", StringComparison.Ordinal) && !n.Contains("vxlan", StringComparison.Ordinal))];
    }

    private static IEnumerable<string> Ips(JsonObject pod) => pod["status"]!["podIPs"]!.AsArray().Select(i => i!["ip"]!.GetValue<string>());
}
