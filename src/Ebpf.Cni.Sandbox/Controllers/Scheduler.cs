using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// Binds pods to ready, schedulable nodes that match their nodeSelector: fewest pods of the same owner first, then fewest pods.
/// </summary>
internal sealed class Scheduler(ResourceService resources, EventRecorder events, TimeProvider time, ILogger logger)
    : Controller(resources.Store, logger)
{
    protected override IReadOnlyList<ResourceType> Watched { get; } = [ResourceTypes.Pods, ResourceTypes.Nodes];

    protected override void Reconcile()
    {
        var pods = Store.List(ResourceTypes.Pods);
        var waiting = pods.Where(p => p.Json.Text("spec", "nodeName") is null && !p.Json.IsTerminating()).ToList();
        if (waiting.Count == 0)
            return;
        var nodes = Store.List(ResourceTypes.Nodes)
            .Where(n => n.Json.Condition("Ready") == "True" && n.Json.Flag("spec", "unschedulable") != true).ToList();
        var placed = pods.Where(p => p.Json.Text("spec", "nodeName") is not null && !p.Json.IsTerminating())
            .Select(p => (Node: p.Json.Text("spec", "nodeName")!, Owner: OwnerOf(p))).ToList();
        foreach (var pod in waiting)
        {
            var labels = LabelSelector.FromMap(pod.Json.At("spec", "nodeSelector"));
            var owner = OwnerOf(pod);
            var best = nodes.Where(n => labels.Matches(n.Json)).Select(n => n.Json.Name())
                .OrderBy(n => placed.Count(p => p.Node == n && p.Owner == owner && owner.Length > 0))
                .ThenBy(n => placed.Count(p => p.Node == n))
                .ThenBy(n => n, StringComparer.Ordinal)
                .FirstOrDefault();
            if (best is null)
            {
                Report(pod);
                continue;
            }

            Bind(pod, best);
            placed.Add((best, owner));
        }
    }

    private static string OwnerOf(StoredObject pod) => Ownership.Controller(pod.Json).Text("uid") ?? "";

    private void Bind(StoredObject pod, string node)
    {
        try
        {
            Store.Update(ResourceTypes.Pods, pod.Json.Namespace(), pod.Json.Name(), p =>
            {
                if (p.Text("spec", "nodeName") is not null)
                    return null;
                p.Child("spec")["nodeName"] = node;
                Conditions.Set(p.Child("status"), "PodScheduled", true, "Scheduled", "", time.GetUtcNow());
                return p;
            });
            events.Normal(pod.Json, "Scheduled", $"Successfully assigned {pod.Json.Namespace()}/{pod.Json.Name()} to {node}",
                "default-scheduler");
        }
        catch (ApiException e) when (e.Code == 404)
        {
            // Deleted since the list.
        }
    }

    private void Report(StoredObject pod)
    {
        if (pod.Json.Condition("PodScheduled") == "False")
            return;
        Store.Update(ResourceTypes.Pods, pod.Json.Namespace(), pod.Json.Name(), p =>
        {
            Conditions.Set(p.Child("status"), "PodScheduled", false, "Unschedulable", "no node is ready and matches", time.GetUtcNow());
            return p;
        });
        events.Warning(pod.Json, "FailedScheduling", "no node is ready and matches", "default-scheduler");
    }
}
