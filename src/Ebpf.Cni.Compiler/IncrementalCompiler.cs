using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;

namespace Ebpf.Cni.Compiler;

/// <summary>
/// Compiles one snapshot after the other, each at the cost of what is different in it: services and slices that
/// are other objects than before, and the ports that want the same addresses as theirs. The result is the one of
/// <see cref="ClusterCompiler.Compile"/>, whatever came before. What did not change is the same object in both
/// states, and a snapshot in which nothing changed yields the same <see cref="DesiredState"/>. Not thread-safe.
/// </summary>
public sealed class IncrementalCompiler
{
    private Compilation _compilation = new();

    /// <param name="cluster">
    /// Complete lists: what is missing from them is missing from the result. With the changes since
    /// the snapshot compiled before, only these are looked at; without, all names are walked over.
    /// </param>
    /// <param name="node">The node compiled for. A change of what services see of it compiles them all.</param>
    /// <param name="ids">
    /// The last result's <see cref="DesiredState.Ids"/>, at first what was
    /// restored from the kernel; any others are taken in by a walk over all ports.
    /// </param>
    public DesiredState Compile(ClusterSnapshot cluster, NodeContext node, IdTable ids)
    {
        ArgumentNullException.ThrowIfNull(cluster);
        ArgumentNullException.ThrowIfNull(node);
        ArgumentNullException.ThrowIfNull(ids);
        try
        {
            return _compilation.Advance(cluster, node, ids);
        }
        catch
        {
            // Half of it may be of the new snapshot.
            _compilation = new Compilation();
            throw;
        }
    }
}
