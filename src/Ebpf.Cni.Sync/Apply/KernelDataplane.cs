using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sync.Node;

namespace Ebpf.Cni.Sync.Apply;

/// <summary>The kernel that the agent runs on: the open dataplane, and what an apply does beside its service tables.</summary>
/// <param name="opened">Completes with the open dataplane.</param>
/// <param name="others">The part beside the service tables.</param>
public sealed class KernelDataplane(Task<NodeDataplane> opened, NodeApply others) : IDataplane
{
    public Task Opened => opened;

    public IdTable RestoredIds => Dataplane.Services.RestoredIds;

    private NodeDataplane Dataplane => opened.Result;

    public DataplaneResult Apply(NodeView view, DesiredState desired)
    {
        var before = others.BeforeServices(Dataplane, view, desired);
        var services = Dataplane.Services.Apply(desired);
        return new DataplaneResult(before, services, others.AfterServices(Dataplane, view, desired));
    }

    public DataplaneDrift Verify()
    {
        others.Verify();
        DriftReport? services = null;
        try
        {
            services = Dataplane.Services.Verify();
            return new DataplaneDrift(services, Dataplane.Ipcache.Verify(), null);
        }
        catch (KernelException e)
        {
            return new DataplaneDrift(services, 0, e);
        }
    }

    public void Lost() => others.Lost();
}
