using Ebpf.Cni.EndToEnd.Tests.Cluster;

namespace Ebpf.Cni.EndToEnd.Tests.Services;

/// <summary>A table of nftables on node-a, as other components have theirs there, until the test is over.</summary>
internal sealed class NodeRules : IAsyncDisposable
{
    private const string Node = "node-a";
    private readonly ServiceCluster _cluster;
    private readonly string _table;

    private NodeRules(ServiceCluster cluster, string table) => (_cluster, _table) = (cluster, table);

    /// <param name="rules">One table: "table ip NAME { ... }".</param>
    public static async Task<NodeRules> Add(ServiceCluster cluster, string rules)
    {
        (await cluster.Cluster.ExecOnNodeAsync(Node, ["nft", rules])).ThrowIfFailed();
        return new NodeRules(cluster, string.Join(' ', rules.Split(' ', 4)[..3]));
    }

    public async ValueTask DisposeAsync() => (await _cluster.Cluster.ExecOnNodeAsync(Node, ["nft", $"delete {_table}"])).ThrowIfFailed();
}
