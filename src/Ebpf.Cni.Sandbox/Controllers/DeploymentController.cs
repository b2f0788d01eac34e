using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// One ReplicaSet per template of a Deployment. A new template is rolled out within maxSurge and maxUnavailable, or after all old pods are
/// gone (Recreate).
/// </summary>
internal sealed class DeploymentController(ResourceService resources, EventRecorder events, TimeProvider time, ILogger logger)
    : Controller(resources.Store, logger)
{
    private const string HashLabel = "pod-template-hash";
    private const string RevisionAnnotation = "deployment.kubernetes.io/revision";

    protected override IReadOnlyList<ResourceType> Watched
        { get; } = [ResourceTypes.Deployments, ResourceTypes.ReplicaSets, ResourceTypes.Pods];

    protected override void Reconcile()
    {
        foreach (var deployment in Store.List(ResourceTypes.Deployments))
            Reconcile(deployment.Json);
    }

    private void Reconcile(JsonObject deployment)
    {
        var sets = Store.List(ResourceTypes.ReplicaSets, deployment.Namespace()).Select(s => s.Json)
            .Where(s => s.IsControlledBy(deployment)).ToList();
        var hash = TemplateHash(deployment);
        var current = sets.FirstOrDefault(s => s.Text("metadata", "labels", HashLabel) == hash);
        if (current is null)
        {
            current = CreateSet(deployment, hash, sets);
            sets.Add(current);
        }

        var old = sets.Where(s => s.Uid() != current.Uid()).ToList();
        if (deployment.Flag("spec", "paused") != true)
            Roll(deployment, current, old);
        DropHistory(deployment, old);
        UpdateStatus(deployment, current, sets);
    }

    private JsonObject CreateSet(JsonObject deployment, string hash, List<JsonObject> sets)
    {
        var template = ((JsonObject)deployment.At("spec", "template")!).Copy();
        template.Child("metadata").Child("labels")[HashLabel] = hash;
        var selector = ((JsonObject)deployment.At("spec", "selector")!).Copy();
        selector.Child("matchLabels")[HashLabel] = hash;
        var revision = 1 + sets.Select(s => long.TryParse(
            s.Text("metadata", "annotations", RevisionAnnotation), CultureInfo.InvariantCulture, out var r) ? r : 0).DefaultIfEmpty().Max();
        return resources.Create(ResourceTypes.ReplicaSets, deployment.Namespace(), new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = $"{deployment.Name()}-{hash}",
                ["labels"] = template.At("metadata", "labels")?.DeepClone(),
                ["annotations"] = new JsonObject { [RevisionAnnotation] = revision.ToString(CultureInfo.InvariantCulture) },
                ["ownerReferences"] = Ownership.Reference(deployment),
            },
            ["spec"] = new JsonObject { ["replicas"] = 0, ["selector"] = selector, ["template"] = template },
        }).Json;
    }

    private void Roll(JsonObject deployment, JsonObject current, List<JsonObject> old)
    {
        var wanted = deployment.Number("spec", "replicas") ?? 1;
        var oldTotal = old.Sum(Replicas);
        if (deployment.Text("spec", "strategy", "type") == "Recreate")
        {
            old.ForEach(s => Scale(deployment, s, 0));
            var oldPods = Store.List(ResourceTypes.Pods, deployment.Namespace()).Any(p => old.Exists(s => p.Json.IsControlledBy(s)));
            Scale(deployment, current, oldPods ? 0 : wanted);
            return;
        }

        // With nothing old the limits do not matter: all at once.
        var surge = Share(deployment, "maxSurge", wanted, roundUp: true);
        var unavailable = Share(deployment, "maxUnavailable", wanted, roundUp: false);
        if (surge == 0 && unavailable == 0)
            unavailable = 1;
        var next = oldTotal == 0 ? wanted : Math.Min(wanted, Math.Max(Replicas(current), wanted + surge - oldTotal));
        Scale(deployment, current, next);
        // Counted from what the sets want, not from what they report: a report lags behind, and believing it would remove the same pods'
        // share twice.
        var removable = Math.Max(0, oldTotal - (wanted - unavailable) + (current.Number("status", "availableReplicas") ?? 0));
        foreach (var set in old.OrderBy(s => s.Text("metadata", "creationTimestamp"), StringComparer.Ordinal))
        {
            var remove = Math.Min(Replicas(set), removable);
            removable -= remove;
            Scale(deployment, set, Replicas(set) - remove);
        }
    }

    private void Scale(JsonObject deployment, JsonObject set, long replicas)
    {
        if (Replicas(set) == replicas)
            return;
        var direction = Replicas(set) < replicas ? "up" : "down";
        Store.Update(ResourceTypes.ReplicaSets, set.Namespace(), set.Name(), s =>
        {
            s.Child("spec")["replicas"] = replicas;
            return s;
        });
        events.Normal(deployment, "ScalingReplicaSet", $"Scaled {direction} replica set {set.Name()} from {Replicas(set)} to {replicas}",
            "deployment-controller");
    }

    private void DropHistory(JsonObject deployment, List<JsonObject> old)
    {
        var limit = (int)(deployment.Number("spec", "revisionHistoryLimit") ?? 10);
        var empty = old.Where(s => Replicas(s) == 0 && (s.Number("status", "replicas") ?? 0) == 0)
            .OrderBy(s => s.Text("metadata", "creationTimestamp"), StringComparer.Ordinal).ToList();
        foreach (var set in empty.Take(empty.Count - limit))
            Store.Remove(ResourceTypes.ReplicaSets, set.Namespace(), set.Name());
    }

    private void UpdateStatus(JsonObject deployment, JsonObject current, List<JsonObject> sets)
    {
        long Total(string field) => sets.Sum(s => s.Number("status", field) ?? 0);
        Store.Update(ResourceTypes.Deployments, deployment.Namespace(), deployment.Name(), d =>
        {
            var wanted = d.Number("spec", "replicas") ?? 1;
            var available = Total("availableReplicas");
            var updated = current.Number("status", "replicas") ?? 0;
            var status = d.Child("status");
            status["observedGeneration"] = deployment.Number("metadata", "generation") ?? 1;
            status["replicas"] = Total("replicas");
            status["updatedReplicas"] = updated;
            status["readyReplicas"] = Total("readyReplicas");
            status["availableReplicas"] = available;
            status["unavailableReplicas"] = Math.Max(0, wanted - available);
            var enough = available >= wanted - Share(d, "maxUnavailable", wanted, roundUp: false);
            Conditions.Set(status, "Available", enough, enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                enough ? "Deployment has minimum availability." : "Deployment does not have minimum availability.", time.GetUtcNow());
            var complete = updated == wanted && available == wanted && Total("replicas") == wanted;
            Conditions.Set(status, "Progressing", true, complete ? "NewReplicaSetAvailable" : "ReplicaSetUpdated",
                $"ReplicaSet \"{current.Name()}\" {(complete ? "has successfully progressed" : "is progressing")}.", time.GetUtcNow());
            d.Child("metadata").Child("annotations")[RevisionAnnotation] = current.Text("metadata", "annotations", RevisionAnnotation);
            return d;
        });
    }

    private static long Replicas(JsonObject set) => set.Number("spec", "replicas") ?? 0;

    private static long Share(JsonObject deployment, string field, long wanted, bool roundUp)
    {
        var limit = deployment.At("spec", "strategy", "rollingUpdate", field);
        if (limit.Number() is { } absolute)
            return absolute;
        if (limit.Text() is not { } text || !text.EndsWith('%')
            || !long.TryParse(text.AsSpan(0, text.Length - 1), CultureInfo.InvariantCulture, out var percent))
            return 0;
        return roundUp ? ((wanted * percent) + 99) / 100 : wanted * percent / 100;
    }

    private static string TemplateHash(JsonObject deployment)
    {
        var bytes = SHA256.HashData(Encoding.UTF8.GetBytes(deployment.At("spec", "template")?.ToJsonString() ?? ""));
        return Convert.ToHexStringLower(bytes)[..10];
    }
}
