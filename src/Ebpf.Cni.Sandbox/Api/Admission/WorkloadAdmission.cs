using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Admission;

/// <summary>Defaults and checks of pods, Deployments, ReplicaSets and DaemonSets.</summary>
internal static class WorkloadAdmission
{
    public static void OnPod(JsonObject pod)
    {
        PodSpec(ResourceTypes.Pods, pod.Name(), pod.Child("spec"));
        var status = pod.Child("status");
        status.Default("phase", "Pending");
        status.Default("qosClass", "BestEffort");
    }

    public static void OnPodUpdate(JsonObject previous, JsonObject pod)
    {
        if (previous.Text("spec", "nodeName") is { } node && pod.Text("spec", "nodeName") != node)
            throw ApiException.Invalid(ResourceTypes.Pods, pod.Name(), "spec.nodeName",
                "Forbidden: pod updates may not change fields other than images, tolerations and grace periods");
        PodSpec(ResourceTypes.Pods, pod.Name(), pod.Child("spec"));
    }

    public static void OnWorkload(ResourceType type, JsonObject workload, JsonObject? previous)
    {
        var spec = workload.Child("spec");
        if (type.HasScale)
            spec.Default("replicas", 1);
        if (type.HasScale && spec.Number("replicas") is not >= 0)
            throw ApiException.Invalid(type, workload.Name(), "spec.replicas", "must be greater than or equal to 0");
        var selector = LabelSelector.FromObject(spec["selector"]);
        if (selector.IsEmpty)
            throw ApiException.Invalid(type, workload.Name(), "spec.selector", "Required value");
        if (!selector.Matches(spec["template"]))
            throw ApiException.Invalid(type, workload.Name(), "spec.template.metadata.labels",
                "Invalid value: `selector` does not match template `labels`");
        if (previous is not null && !JsonNode.DeepEquals(previous.At("spec", "selector"), spec["selector"]))
            throw ApiException.Invalid(type, workload.Name(), "spec.selector", "field is immutable");
        PodSpec(type, workload.Name(), spec.Child("template").Child("spec"));
        if (ReferenceEquals(type, ResourceTypes.Deployments))
            DeploymentDefaults(spec);
        else if (ReferenceEquals(type, ResourceTypes.DaemonSets))
            DaemonSetDefaults(spec);
    }

    private static void DaemonSetDefaults(JsonObject spec)
    {
        spec.Default("revisionHistoryLimit", 10);
        var strategy = spec.Child("updateStrategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            strategy.Child("rollingUpdate").Default("maxSurge", 0);
            strategy.Child("rollingUpdate").Default("maxUnavailable", 1);
        }
    }

    private static void DeploymentDefaults(JsonObject spec)
    {
        spec.Default("revisionHistoryLimit", 10);
        spec.Default("progressDeadlineSeconds", 600);
        var strategy = spec.Child("strategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            strategy.Child("rollingUpdate").Default("maxSurge", "25%");
            strategy.Child("rollingUpdate").Default("maxUnavailable", "25%");
        }
    }

    private static void PodSpec(ResourceType type, string name, JsonObject spec)
    {
        if (!spec.Items("containers").Any())
            throw ApiException.Invalid(type, name, "spec.containers", "Required value");
        spec.Default("restartPolicy", "Always");
        spec.Default("terminationGracePeriodSeconds", 30);
        spec.Default("dnsPolicy", "ClusterFirst");
        spec.Default("schedulerName", "default-scheduler");
        foreach (var container in spec.Items("containers").Concat(spec.Items("initContainers")))
        {
            if (string.IsNullOrEmpty(container.Text("name")))
                throw ApiException.Invalid(type, name, "spec.containers[].name", "Required value");
            foreach (var port in container.Items("ports"))
                port.Default("protocol", "TCP");
            if (container["readinessProbe"] is JsonObject probe)
                Probe(probe);
        }
    }

    private static void Probe(JsonObject probe)
    {
        probe.Default("periodSeconds", 10);
        probe.Default("timeoutSeconds", 1);
        probe.Default("successThreshold", 1);
        probe.Default("failureThreshold", 3);
        if (probe["httpGet"] is JsonObject get)
        {
            get.Default("path", "/");
            get.Default("scheme", "HTTP");
        }
    }
}
