using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>The dataplane as the sync loop sees it. Its calls block, and are made by the loop alone.</summary>
public interface IDataplane
{
    /// <summary>Completes when the tables are open; nothing else is called before.</summary>
    Task Opened { get; }

    /// <summary>The service ids that the pinned tables hold.</summary>
    IdTable RestoredIds { get; }

    /// <summary>
    /// Brings the kernel to the desired state: first the part of a packet's path that Services need (tunnel, ipcache, uplink programs),
    /// then the service tables, then what directs traffic to this node (routes, health check ports).
    /// </summary>
    /// <param name="view">The node, as the desired state was compiled for it.</param>
    /// <param name="desired">All of it: the dataplane finds out what changed.</param>
    DataplaneResult Apply(NodeView view, DesiredState desired);

    /// <summary>Reads the tables back. The next apply repairs what differs, and relies on nothing that a former one left.</summary>
    DataplaneDrift Verify();

    /// <summary>Network state of the node may have been removed by another program; the next apply reads it back.</summary>
    void Lost();
}

/// <summary>The result of an apply, by its three parts.</summary>
/// <param name="Before">What was applied before the service tables.</param>
/// <param name="Services">The service tables.</param>
/// <param name="After">What was applied after them.</param>
public sealed record DataplaneResult(NodeApplyResult Before, ApplyResult Services, NodeApplyResult After)
{
    /// <summary>Writes beside the service tables.</summary>
    public int OtherWrites => Before.Writes + After.Writes;

    /// <summary>Something beside the service tables failed.</summary>
    public bool OthersNeedRetry => Before.NeedsRetry || After.NeedsRetry;
}

/// <summary>What a read-back found.</summary>
/// <param name="Services">The service tables; null if they could not be read.</param>
/// <param name="Prefixes">Entries of the ipcache that differ.</param>
/// <param name="Failure">The read that failed; null: all were read.</param>
public sealed record DataplaneDrift(DriftReport? Services, int Prefixes, KernelException? Failure);
