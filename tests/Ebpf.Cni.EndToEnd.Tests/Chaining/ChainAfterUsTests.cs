using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>The real tuning, bandwidth and portmap after us: they find in our result what they need, at ADD, CHECK and DEL.</summary>
public sealed class ChainAfterUsTests(SocketCluster fixture) : IClassFixture<SocketCluster>
{
    private const string After =
        """[{"type":"tuning","sysctl":{"net.ipv4.conf.eth0.arp_filter":"1"},"mtu":1300},{"type":"bandwidth","ingressRate":80000000,"ingressBurst":8000000,"egressRate":80000000,"egressBurst":8000000},{"type":"portmap","capabilities":{"portMappings":true},"backend":"iptables"}]""";

    [Theory]
    [InlineData("0.3.1")]
    [InlineData("0.4.0")]
    [InlineData("1.0.0")]
    public async Task Tuning_bandwidth_and_portmap_work_on_what_we_made(string version)
    {
        ForeignPlugins.Require();
        Requires.Tool("iptables");
        var node = fixture.Cluster.Nodes["node-a"];
        if (!File.Exists(Path.Combine(node.Directories.CniBinaries, "tuning")))
            ForeignPlugins.Install(node);
        var list = Chain(node, version);
        // Where the runtime has it from, behind the one that the sandbox's own pods take.
        var file = Path.Combine(node.Directories.CniConfiguration, "99-chain.conflist");
        await File.WriteAllTextAsync(file, new JsonObject
            { ["cniVersion"] = version, ["name"] = "chain",
            ["plugins"] = new JsonArray([.. list.Select(p => p.DeepClone())]) }.ToJsonString());
        try
        {
            await Work(node, version, list);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private async Task Work(SandboxNode node, string version, JsonObject[] list)
    {
        using var pod = new TestNamespace(node);
        var before = await NodeTraces.Read(fixture.Cluster, node);
        var rules = await Rules(node);

        JsonObject? result = null;
        foreach (var plugin in list)
            result = JsonNode.Parse(await Run("ADD", plugin, result))!.AsObject();
        var address = result!["ips"]![0]!["address"]!.GetValue<string>().Split('/')[0];
        using (var netlink = RouteNetlink.Open(pod.Namespace))
        {
            var link = netlink.FindLink("eth0")!;
            Assert.Equal(1300, link.Mtu);
            Assert.Contains(netlink.Addresses(link.Index), a => a.Address.ToString() == address);
        }

        using (var netlink = RouteNetlink.Open(node.Namespace))
        {
            var host = netlink.Links().Single(l => l.Name == result["interfaces"]![0]!["name"]!.GetValue<string>());
            Assert.Contains(netlink.Queues(host.Index), q => q is { Kind: "tbf", Rate: 10_000_000 });
        }

        Assert.Contains($"{address}:8080", await Rules(node), StringComparison.Ordinal);
        // CHECK came with 0.4.0; and portmap's (1.1.1) looks for a pod's IPv4 rule in the IPv6 table when the pod has both families.
        if (version != "0.3.1")
            foreach (var plugin in list[..^1])
                await Run("CHECK", plugin, result);

        foreach (var plugin in list.Reverse())
            await Run("DEL", plugin, result);
        Assert.Equal(before, await NodeTraces.Read(fixture.Cluster, node));
        // portmap leaves its empty chains.
        Assert.DoesNotContain(address, await Rules(node), StringComparison.Ordinal);
        Assert.DoesNotContain(address, rules, StringComparison.Ordinal);

        async Task<string> Run(string command, JsonObject plugin, JsonObject? previous)
        {
            var input = plugin.DeepClone().AsObject();
            if (previous is not null)
                input["prevResult"] = previous.DeepClone();
            string[] program =
            [
                "env", $"CNI_COMMAND={command}", "CNI_CONTAINERID=chain1", $"CNI_NETNS={pod.Path}", "CNI_IFNAME=eth0", "CNI_ARGS=",
                    $"CNI_PATH={node.Directories.CniBinaries}",
                Path.Combine(node.Directories.CniBinaries, plugin["type"]!.GetValue<string>()),
            ];
            var ran = await fixture.Cluster.ExecOnNodeAsync(node.Name, program, input.ToJsonString());
            Assert.True(ran.ExitCode == 0, $"{command} of {plugin["type"]}: {ran.Output} {ran.Errors}");
            return ran.Output;
        }
    }

    private static JsonObject[] Chain(SandboxNode node, string version)
    {
        var own = JsonNode.Parse(
            File.ReadAllText(Path.Combine(node.Directories.CniConfiguration, "05-ebpf-cni.conflist")))!["plugins"]![0]!.DeepClone();
        JsonArray plugins = [own, .. JsonNode.Parse(After)!.AsArray().Select(p => p!.DeepClone())];
        return
        [
            .. plugins.Select(p =>
            {
                var plugin = p!.DeepClone().AsObject();
                (plugin["cniVersion"], plugin["name"]) = (version, "chain");
                // As the runtime does: a plugin gets what it is capable of. hostPorts are portmap's here.
                if (plugin["type"]!.GetValue<string>() == "portmap")
                    plugin["runtimeConfig"] = JsonNode.Parse("""{"portMappings":[{"hostPort":18080,"containerPort":8080,"protocol":"tcp"}]}""");
                return plugin;
            }),
        ];
    }

    private async Task<string> Rules(SandboxNode node) =>
        (await fixture.Cluster.ExecOnNodeAsync(node.Name, ["iptables", "-t", "nat", "-S"])).Output;
}
