using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;

namespace Ebpf.Cni.Sync.Loop;

/// <summary>Takes this node's podCIDRs out of the cluster, when they come and when they change, to where they are needed.</summary>
public sealed partial class NodeRanges(EndpointStore addresses, NodeSetup node, SyncOptions options, ILogger<NodeRanges> log)
{
    private string _logged = "";
    private (bool Taken, NodeSnapshot? Node) _last;

    /// <summary>After a compile: does nothing while the Node is the same object. What it sets is read from files each time.</summary>
    public void TakeChanged(ClusterSnapshot cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        if (!_last.Taken || !ReferenceEquals(_last.Node, cluster.Nodes.GetValueOrDefault(options.NodeName)))
            Take(cluster);
    }

    public void Take(ClusterSnapshot cluster)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        _last = (true, cluster.Nodes.GetValueOrDefault(options.NodeName));
        // Addresses, and what the node needs to route, are the other plugin's then.
        if (options.Chained)
            return;
        if (!cluster.Nodes.TryGetValue(options.NodeName, out var self))
        {
            LogOnce("absent", () => Log.Absent(log, options.NodeName));
            return;
        }

        var ranges = self.PodCidrs.Where(c => PodCidr.TryParse(c, out _)).Select(PodCidr.Parse).ToList();
        if (ranges.Count == 0)
        {
            if (addresses.HasRanges)
                LogOnce("lost", () => Log.Lost(log, options.NodeName, string.Join(", ", addresses.Ranges)));
            else
                LogOnce("none", () => Log.None(log, options.NodeName));
            return;
        }

        LogOnce(string.Join(", ", ranges), () => Log.Ranges(log, options.NodeName, string.Join(", ", ranges)));
        addresses.SetRanges(ranges);
        node.Run(ranges.Select(r => r.Family));
    }

    private void LogOnce(string state, Action line)
    {
        if (_logged == state)
            return;
        _logged = state;
        line();
    }

    private static partial class Log
    {
        [LoggerMessage(3341, LogLevel.Information, "node {Node} has podCIDRs {Ranges}")]
        public static partial void Ranges(ILogger log, string node, string ranges);

        [LoggerMessage(3342, LogLevel.Warning,
            "node {Node} has no podCIDRs yet: pods wait until the controller manager (--allocate-node-cidrs) or the cloud assigns them")]
        public static partial void None(ILogger log, string node);

        [LoggerMessage(3344, LogLevel.Warning,
            "node {Node} lost its podCIDRs in the API; IPAM keeps allocating from the last known {Ranges}")]
        public static partial void Lost(ILogger log, string node, string ranges);

        [LoggerMessage(3343, LogLevel.Warning,
            "Node object {Node} not found in the API: pods wait for its podCIDRs; check the node-name option")]
        public static partial void Absent(ILogger log, string node);
    }
}
