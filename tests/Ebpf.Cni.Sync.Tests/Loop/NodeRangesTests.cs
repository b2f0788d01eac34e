using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Pods.Interfaces;
using Ebpf.Cni.Sync.Loop;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Sync.Tests.Loop;

/// <summary>When the node's podCIDRs are taken from the cluster, with the settings that routing to pods needs.</summary>
public class NodeRangesTests
{
    private const string Node = "node-0";

    [Fact]
    public void The_nodes_settings_are_written_when_the_Node_changes_and_not_with_every_change_of_the_cluster()
    {
        using var settings = new TemporaryDirectory();
        var forwarding = Path.Combine(settings.Path, "ipv4", "ip_forward");
        Directory.CreateDirectory(Path.GetDirectoryName(forwarding)!);
        File.WriteAllText(forwarding, "0");
        using var state = new TemporaryDirectory();
        var addresses = new EndpointStore(
            new EndpointFiles(state.Path, Node), TimeSpan.FromSeconds(60), new FakeTimeProvider(), NullLogger<EndpointStore>.Instance);
        var options = new SyncOptions(Node);
        var ranges = new NodeRanges(
            addresses, new NodeSetup(new SysctlTree(settings.Path), NullLogger<NodeSetup>.Instance), options,
            NullLogger<NodeRanges>.Instance);
        var cluster = Of(new NodeSnapshot { Name = Node, PodCidrs = ["10.244.1.0/24"] });
        ranges.TakeChanged(cluster);
        Assert.Equal("1", File.ReadAllText(forwarding).Trim());
        Assert.True(addresses.HasRanges);

        File.WriteAllText(forwarding, "0");
        ranges.TakeChanged(cluster with { Services = cluster.Services });
        Assert.Equal("0", File.ReadAllText(forwarding).Trim());
        ranges.Take(cluster); // as each verify period does
        Assert.Equal("1", File.ReadAllText(forwarding).Trim());

        File.WriteAllText(forwarding, "0");
        ranges.TakeChanged(Of(new NodeSnapshot { Name = Node, PodCidrs = ["10.244.2.0/24"] }));
        Assert.Equal("1", File.ReadAllText(forwarding).Trim());
        Assert.Contains("10.244.2.0/24", addresses.Ranges.Select(r => r.ToString()));
    }

    private static ClusterSnapshot Of(NodeSnapshot node) => ClusterSnapshot.Empty with
    {
        Nodes = ClusterSnapshot.Empty.Nodes.SetItem(node.Name, node),
    };
}
