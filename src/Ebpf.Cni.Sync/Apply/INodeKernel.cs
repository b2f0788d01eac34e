using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>
/// The node's kernel as the sync loop sees it: the service tables, and what has to be there before and after them. Its calls block.
/// </summary>
public interface INodeKernel
{
    /// <summary>Completes when the dataplane is open; nothing else is asked before.</summary>
    Task Opened { get; }

    ServiceDataplane Services { get; }

    /// <summary>What packets of Services need on their path.</summary>
    NodeApplyResult BeforeServices(NodeView view, DesiredState desired);

    /// <summary>What leads others here.</summary>
    NodeApplyResult AfterServices(NodeView view, DesiredState desired);

    /// <summary>Reads back what destinations are; the next apply repairs what differs.</summary>
    /// <returns>Entries that differ.</returns>
    /// <exception cref="Kernel.KernelException">The table cannot be read.</exception>
    int VerifyDestinations();

    /// <summary>The next apply does not rely on what the last one left beside the tables.</summary>
    void Doubt();

    /// <summary>What is on the node may have been taken away; the next apply looks.</summary>
    void Lost();
}
