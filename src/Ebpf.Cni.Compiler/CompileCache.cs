using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Compiler.Prefixes;
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

    /// <summary>What <see cref="Services"/> were compiled for.</summary>
    internal NodeView? View { get; private set; }

    internal ClusterSnapshot? Cluster { get; set; }

    internal DesiredState? State { get; set; }

    internal SliceIndex? Slices { get; set; }

    /// <summary>By name.</summary>
    internal List<CompiledService> Services { get; set; } = [];

    /// <summary>Of <see cref="Node"/>.</summary>
    internal CompiledHostPorts? HostPorts { get; set; }

    /// <summary>Of <see cref="Services"/> and the host ports.</summary>
    internal FrontendClaim[] Claims { get; set; } = [];

    internal CompiledRoutes? Routes { get; set; }

    internal CompiledPrefixes? Prefixes { get; set; }

    /// <summary>
    /// Forgets what depends on a node that is another one now. Services see little of their node (<see cref="NodeView"/>): a pod with a hostPort
    /// that comes must not cost a compile of them all, but the zone in the Node object is of it.
    /// </summary>
    /// <returns>The host ports whose claims must go.</returns>
    internal CompiledPort[] Enter(NodeContext node, ClusterSnapshot cluster)
    {
        var outdated = HostPorts?.Ports ?? [];
        if (node == Node && ReferenceEquals(cluster.Nodes, Cluster?.Nodes))
            return [];
        var view = new NodeView(node, cluster);
        var sameView = view.IsSame(View);
        if (node != Node)
        {
            (Node, State, HostPorts, Routes, Prefixes) = (node, null, null, null, null);
        }
        else
            outdated = [];
        View = view;
        if (sameView)
            return outdated;
        State = null;
        Slices = null;
        Services = [];
        Claims = [];
        HostPorts = null;
        return [];
    }
}
