using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// Keeps as many pods of each ReplicaSet as it wants: makes what is missing, deletes the least useful of what is too much.
/// </summary>
internal sealed class ReplicaSetController(ResourceService resources, EventRecorder events, ILogger logger)
    : Controller(resources.Store, logger)
{
    private const string Source = "replicaset-controller";

    protected override IReadOnlyList<ResourceType> Watched { get; } = [ResourceTypes.ReplicaSets, ResourceTypes.Pods];

    protected override void Reconcile()
    {
        foreach (var set in Store.List(ResourceTypes.ReplicaSets))
        {
            if (!set.Json.IsTerminating())
                Reconcile(set.Json);
        }
    }

    private void Reconcile(JsonObject set)
    {
        var owned = Store.List(ResourceTypes.Pods, set.Namespace()).Select(p => p.Json).Where(p => p.IsControlledBy(set)).ToList();
        foreach (var finished in owned.Where(p => p.Text("status", "phase") is "Succeeded" or "Failed"))
            resources.Delete(ResourceTypes.Pods, finished.Namespace(), finished.Name());
        var alive = owned.Where(p => !p.IsTerminating() && p.Text("status", "phase") is not ("Succeeded" or "Failed")).ToList();
        var wanted = (int)(set.Number("spec", "replicas") ?? 1);
        for (var i = alive.Count; i < wanted; i++)
            CreatePod(set);
        foreach (var victim in alive.OrderBy(Usefulness)
            .ThenByDescending(p => p.Text("metadata", "creationTimestamp"), StringComparer.Ordinal).Take(alive.Count - wanted))
        {
            resources.Delete(ResourceTypes.Pods, victim.Namespace(), victim.Name());
            events.Normal(set, "SuccessfulDelete", $"Deleted pod: {victim.Name()}", Source);
        }

        UpdateStatus(set, alive);
    }

    private static int Usefulness(JsonObject pod) => pod.Text("spec", "nodeName") is null ? 0 : pod.Condition("Ready") == "True" ? 2 : 1;

    private void CreatePod(JsonObject set)
    {
        var template = set.At("spec", "template") as JsonObject ?? [];
        var metadata = (template["metadata"] as JsonObject)?.Copy() ?? [];
        metadata["generateName"] = set.Name() + "-";
        metadata["ownerReferences"] = Ownership.Reference(set);
        var pod = resources.Create(ResourceTypes.Pods, set.Namespace(),
            new JsonObject { ["metadata"] = metadata, ["spec"] = template["spec"]?.DeepClone() });
        events.Normal(set, "SuccessfulCreate", $"Created pod: {pod.Json.Name()}", Source);
    }

    private void UpdateStatus(JsonObject set, List<JsonObject> alive) =>
        Store.Update(ResourceTypes.ReplicaSets, set.Namespace(), set.Name(), s =>
    {
        var status = s.Child("status");
        var ready = alive.Count(p => p.Condition("Ready") == "True");
        status["replicas"] = alive.Count;
        status["fullyLabeledReplicas"] = alive.Count;
        status["readyReplicas"] = ready;
        status["availableReplicas"] = ready;
        status["observedGeneration"] = s.Number("metadata", "generation") ?? 1;
        return s;
    });
}
