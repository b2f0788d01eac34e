using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>Deletes what its controlling owner has left behind, and pods bound to nodes that no longer exist.</summary>
internal sealed class GarbageCollector(ResourceService resources, ILogger logger) : Controller(resources.Store, logger)
{
    protected override IReadOnlyList<ResourceType> Watched { get; } =
        [ResourceTypes.Deployments, ResourceTypes.ReplicaSets, ResourceTypes.DaemonSets, ResourceTypes.Services, ResourceTypes.Pods,
            ResourceTypes.EndpointSlices, ResourceTypes.Nodes];

    protected override void Reconcile()
    {
        foreach (var type in (ResourceType[])[ResourceTypes.ReplicaSets, ResourceTypes.Pods, ResourceTypes.EndpointSlices])
        {
            foreach (var obj in Store.List(type).Select(o => o.Json).Where(o => !o.IsTerminating()))
            {
                if (Ownership.Controller(obj) is { } owner
                    && IsGone(owner.Text("apiVersion") ?? "", owner.Text("kind") ?? "", obj.Namespace(), owner.Text("name") ?? "",
                    owner.Text("uid")))
                    resources.Delete(type, obj.Namespace(), obj.Name(), onlyUid: obj.Uid());
            }
        }

        foreach (var pod in Store.List(ResourceTypes.Pods).Select(p => p.Json))
        {
            if (pod.Text("spec", "nodeName") is { } node && Store.Get(ResourceTypes.Nodes, "", node) is null)
                resources.Delete(ResourceTypes.Pods, pod.Namespace(), pod.Name(), graceSeconds: 0);
        }
    }

    private bool IsGone(string apiVersion, string kind, string ns, string name, string? uid) =>
        ResourceTypes.FindKind(apiVersion, kind) is { } type && Store.Get(type, type.Namespaced ? ns : "", name)?.Json.Uid() != uid;
}
