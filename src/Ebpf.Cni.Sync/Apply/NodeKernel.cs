using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>The kernel that the agent runs on: the open dataplane, and what an apply does beside its service tables.</summary>
public sealed class NodeKernel(DataplaneHolder holder, NodeApply others) : INodeKernel
{
    public Task Opened => holder.Opened;

    public ServiceDataplane Services => Dataplane.Services;

    private NodeDataplane Dataplane => holder.Opened.Result;

    public NodeApplyResult BeforeServices(NodeView view, DesiredState desired) => others.BeforeServices(Dataplane, view, desired);

    public NodeApplyResult AfterServices(NodeView view, DesiredState desired) => others.AfterServices(Dataplane, view, desired);

    public int VerifyDestinations() => Dataplane.Ipcache.Verify();

    public void Doubt() => others.Verify();

    public void Lost() => others.Lost();
}
