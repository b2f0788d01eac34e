using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Chaining;

/// <summary>
/// Two nodes whose pods another plugin connects, and whose routes are the administrator's; our agents give them Services.
/// </summary>
public abstract class ChainedCluster(string name, string plugin, params string[] agentArguments)
    : ClusterFixture(name, ["--cni-mode", "chained", .. agentArguments])
{
    private protected override SandboxOptions Options => base.Options with { StartAgents = false };

    private protected override async Task FillAsync()
    {
        if (!ForeignPlugins.AreHere)
            return;
        foreach (var node in Cluster.Nodes.Values)
        {
            ForeignPlugins.Install(node);
            File.WriteAllText(Path.Combine(node.Directories.CniConfiguration, "10-other.conflist"), ForeignPlugins.Network(node, plugin));
            foreach (var other in Cluster.Nodes.Values.Where(n => n != node))
            {
                await Run(node, "ip", "route", "add", $"{other.Addresses.PodsV4}", "via", $"{other.Addresses.V4}");
                await Run(node, "ip", "route", "add", $"{other.Addresses.PodsV6}", "via", $"{other.Addresses.V6}");
            }

            await node.StartAgentAsync();
        }

        foreach (var node in Cluster.Nodes.Values)
        {
            await node.WaitAgentReadyAsync();
            await Eventually.True(() => File.Exists(Configuration(node)), $"the agent of {node.Name} is in the chain");
        }

        await base.FillAsync();
    }

    public static string Configuration(SandboxNode node) => Path.Combine(node.Directories.CniConfiguration, "05-ebpf-cni.conflist");

    public async Task<string> Run(SandboxNode node, params string[] command) =>
        (await Cluster.ExecOnNodeAsync(node.Name, command)).ThrowIfFailed().Output;
}

/// <summary>Behind a bridge; services at the sockets.</summary>
public sealed class BridgedCluster() : ChainedCluster("chain-b", "bridge");

/// <summary>Behind a bridge; services packet by packet.</summary>
public sealed class BridgedPacketCluster() : ChainedCluster("chain-bp", "bridge", "--socket-lb", "off");

/// <summary>Behind routed veths; services packet by packet.</summary>
public sealed class RoutedPacketCluster() : ChainedCluster("chain-rp", "ptp", "--socket-lb", "off");
