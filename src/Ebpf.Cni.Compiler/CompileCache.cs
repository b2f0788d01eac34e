using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Routes;
using Ebpf.Cni.Compiler.Services;

namespace Ebpf.Cni.Compiler;

/// <summary>
/// What the last compile may lend the next one: whatever follows from snapshot objects that are still the same (by reference; they are
/// immutable). With or without a cache the result is equal; with one, service ports that did not change also yield the same
/// <see cref="DesiredSegment"/> and <see cref="DesiredFrontend"/> objects, and a snapshot in which nothing changed the same
/// <see cref="DesiredState"/>. Not thread-safe; one holder.
/// </summary>
public sealed class CompileCache
{
    internal NodeContext? Node { get; private set; }

    internal ClusterSnapshot? Cluster { get; set; }

    internal DesiredState? State { get; set; }

    internal SliceIndex? Slices { get; set; }

    /// <summary>By name.</summary>
    internal List<CompiledService> Services { get; set; } = [];

    internal FrontendClaim[] Claims { get; set; } = [];

    internal CompiledRoutes? Routes { get; set; }

    /// <summary>Everything depends on the node: for another one all is forgotten.</summary>
    internal void Enter(NodeContext node)
    {
        if (node == Node)
            return;
        Node = node;
        Cluster = null;
        State = null;
        Slices = null;
        Services = [];
        Claims = [];
        Routes = null;
    }
}
