using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Controllers;

/// <summary>
/// One pod of each DaemonSet on every node that its nodeSelector matches, ready or not: that a node becomes ready may be the pod's work. A
/// new template replaces them within maxUnavailable, or (OnDelete) when they are deleted.
/// </summary>
internal sealed class DaemonSetController(ResourceService resources, EventRecorder events, ILogger logger)
    : Controller(resources.Store, logger)
{
    private const string HashLabel = "controller-revision-hash";
    private const string Source = "daemonset-controller";

    protected override IReadOnlyList<ResourceType> Watched { get; } = [ResourceTypes.DaemonSets, ResourceTypes.Pods, ResourceTypes.Nodes];

    protected override void Reconcile()
    {
        foreach (var set in Store.List(ResourceTypes.DaemonSets))
            if (!set.Json.IsTerminating())
                Reconcile(set.Json);
    }

    private void Reconcile(JsonObject set)
    {
        var hash = TemplateHash(set);
        var selector = LabelSelector.FromMap(set.At("spec", "template", "spec", "nodeSelector"));
        var nodes = Store.List(ResourceTypes.Nodes).Select(n => n.Json).Where(selector.Matches).Select(n => n.Name()).ToHashSet();
        var pods = Store.List(ResourceTypes.Pods, set.Namespace()).Select(p => p.Json).Where(p => p.IsControlledBy(set)).ToList();
        foreach (var node in nodes.Except(pods.Select(NodeOf)).Order(StringComparer.Ordinal))
            CreatePod(set, node, hash);
        foreach (var stray in pods.Where(p => !nodes.Contains(NodeOf(p)) && !p.IsTerminating()))
            Delete(set, stray);
        Roll(set, pods.Where(p => nodes.Contains(NodeOf(p))).ToList(), hash, nodes.Count);
        UpdateStatus(set, pods, nodes.Count, hash);
    }

    private static string NodeOf(JsonObject pod) => pod.Text("spec", "nodeName") ?? "";

    private void CreatePod(JsonObject set, string node, string hash)
    {
        var template = set.At("spec", "template") as JsonObject ?? [];
        var metadata = (template["metadata"] as JsonObject)?.Copy() ?? [];
        metadata["generateName"] = set.Name() + "-";
        metadata["ownerReferences"] = Ownership.Reference(set);
        metadata.Child("labels")[HashLabel] = hash;
        var spec = (template["spec"] as JsonObject)?.Copy() ?? [];
        spec["nodeName"] = node;
        var pod = resources.Create(ResourceTypes.Pods, set.Namespace(), new JsonObject { ["metadata"] = metadata, ["spec"] = spec });
        events.Normal(set, "SuccessfulCreate", $"Created pod: {pod.Json.Name()}", Source);
    }

    private void Roll(JsonObject set, List<JsonObject> pods, string hash, int nodes)
    {
        if (set.Text("spec", "updateStrategy", "type") == "OnDelete")
            return;
        var unavailable = nodes - pods.Count(p => p.Condition("Ready") == "True" && !p.IsTerminating());
        var outdated = pods.Where(p => p.Text("metadata", "labels", HashLabel) != hash && !p.IsTerminating())
            .OrderBy(p => p.Condition("Ready") == "True" ? 1 : 0);
        foreach (var pod in outdated)
        {
            // a pod that is not ready can be deleted at once
            if (pod.Condition("Ready") == "True" && ++unavailable > MostUnavailable(set, nodes))
                return;
            Delete(set, pod);
        }
    }

    private static long MostUnavailable(JsonObject set, int nodes)
    {
        var most = set.At("spec", "updateStrategy", "rollingUpdate", "maxUnavailable");
        return most.Text() is { } share && long.TryParse(share.TrimEnd('%'), CultureInfo.InvariantCulture, out var percent)
            ? ((percent * nodes) + 99) / 100
            : most.Number() ?? 1;
    }

    private void Delete(JsonObject set, JsonObject pod)
    {
        resources.Delete(ResourceTypes.Pods, pod.Namespace(), pod.Name());
        events.Normal(set, "SuccessfulDelete", $"Deleted pod: {pod.Name()}", Source);
    }

    private void UpdateStatus(JsonObject set, List<JsonObject> pods, int desired, string hash) =>
        Store.Update(ResourceTypes.DaemonSets, set.Namespace(), set.Name(), s =>
        {
            var status = s.Child("status");
            var ready = pods.Count(p => p.Condition("Ready") == "True");
            status["desiredNumberScheduled"] = desired;
            status["currentNumberScheduled"] = pods.Count;
            status["numberMisscheduled"] = 0;
            status["numberReady"] = ready;
            status["numberAvailable"] = ready;
            status["numberUnavailable"] = desired - ready;
            status["updatedNumberScheduled"] = pods.Count(p => p.Text("metadata", "labels", HashLabel) == hash);
            status["observedGeneration"] = s.Number("metadata", "generation") ?? 1;
            return s;
        });

    private static string TemplateHash(JsonObject set) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(set.At("spec", "template")?.ToJsonString() ?? "")))[..10];
}
