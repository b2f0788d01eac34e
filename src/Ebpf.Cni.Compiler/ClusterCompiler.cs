using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler;

/// <summary>
/// Cluster → what the kernel of one node should hold. Static, deterministic and total: no clock, file, socket or kernel; whatever
/// the objects contain, a bad one becomes an issue and leaves the others as they are. kube-proxy's rules, each cited where it is applied.
/// </summary>
public static class ClusterCompiler
{
    /// <summary>From nothing. An <see cref="IncrementalCompiler"/> comes to the same at the cost of what changed.</summary>
    /// <param name="cluster">Complete lists: what is missing from them is missing from the result.</param>
    /// <param name="node">The node compiled for.</param>
    /// <param name="ids">The last result's <see cref="DesiredState.Ids"/>; at first what was restored from the kernel.</param>
    public static DesiredState Compile(ClusterSnapshot cluster, NodeContext node, IdTable ids) =>
        new IncrementalCompiler().Compile(cluster, node, ids);
}
