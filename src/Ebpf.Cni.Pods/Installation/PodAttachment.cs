namespace Ebpf.Cni.Pods.Installation;

/// <summary>How the programs of pods are attached to their interfaces.</summary>
public enum PodAttachment
{
    /// <summary>As filters, unless another plugin has the interface too: behind us in a chain, or before us.</summary>
    Auto,

    /// <summary>As links, where the kernel has them (6.6).</summary>
    Tcx,

    /// <summary>As filters of the clsact qdisc, on every kernel.</summary>
    Clsact,
}
