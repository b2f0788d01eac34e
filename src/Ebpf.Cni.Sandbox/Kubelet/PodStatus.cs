using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>A pod's status, computed from its containers. Pure.</summary>
internal static class PodStatus
{
    public static JsonObject Build(JsonObject pod, PodAddresses? addresses, IReadOnlyList<ContainerRun> containers, KubeletContext node)
    {
        var previous = pod["status"] as JsonObject ?? [];
        var status = new JsonObject
        {
            ["phase"] = Phase(pod, containers),
            ["startTime"] = previous.Text("startTime") ?? node.Now(),
            ["hostIP"] = node.HostAddresses[0].ToString(),
            ["hostIPs"] = node.HostAddresses.Select(a => (JsonNode)new JsonObject { ["ip"] = a.ToString() }).ToJsonArray(),
        };
        if (addresses is { Pod: [var first, ..] })
        {
            status["podIP"] = first.ToString();
            status["podIPs"] = addresses.Pod.Select(a => (JsonNode)new JsonObject { ["ip"] = a.ToString() }).ToJsonArray();
        }
        var specified = pod.Containers().ToList();
        var statuses = specified
            .Select((c, at) => (JsonNode)(at < containers.Count ? OfContainer(containers[at], c, pod.Uid()) : NotStarted(c))).ToList();
        var sidecars = specified.Count - pod.Items("spec", "containers").Count();
        if (sidecars > 0)
            status["initContainerStatuses"] = statuses.Take(sidecars).ToJsonArray();
        status["containerStatuses"] = statuses.Skip(sidecars).ToJsonArray();
        status["conditions"] = Conditions(previous, containers, node.Now());
        return status;
    }

    private static string Phase(JsonObject pod, IReadOnlyList<ContainerRun> containers)
    {
        if (containers.Count > 0 && containers.All(run => run.Finished))
            return containers.All(run => run.State is ContainerState.Terminated { ExitCode: 0 }) ? "Succeeded" : "Failed";
        return containers.Count > 0 && containers.All(
            run => run.State is not ContainerState.Waiting { Reason: "ContainerCreating" or "CreateContainerConfigError" })
            ? "Running"
            : pod.Text("status", "phase") is "Running" ? "Running" : "Pending";
    }

    private static JsonArray Conditions(JsonObject previous, IReadOnlyList<ContainerRun> containers, string now)
    {
        var ready = containers.Count > 0 && containers.All(run => run.Ready);
        var reason = ready ? null
            : containers.Count > 0 && containers.All(run => run.Finished) ? "PodCompleted"
            : "ContainersNotReady";
        // what others wrote, such as the scheduler, stays
        var kept = previous.Items("conditions").Where(c => c.Text("type") is not ("Initialized" or "ContainersReady" or "Ready"))
            .Select(c => (JsonNode)c.Copy());
        return kept
            .Append(Condition(previous, "Initialized", true, null, now))
            .Append(Condition(previous, "ContainersReady", ready, reason, now))
            .Append(Condition(previous, "Ready", ready, reason, now))
            .ToJsonArray();
    }

    private static JsonObject Condition(JsonObject previous, string type, bool value, string? reason, string now)
    {
        var text = value ? "True" : "False";
        var before = previous.Items("conditions").FirstOrDefault(c => c.Text("type") == type);
        var condition = new JsonObject
        {
            ["type"] = type,
            ["status"] = text,
            ["lastTransitionTime"] = before.Text("status") == text ? before.Text("lastTransitionTime") ?? now : now,
        };
        if (reason is not null)
            condition["reason"] = reason;
        return condition;
    }

    private static JsonObject OfContainer(ContainerRun run, JsonObject specification, string podUid) => new()
    {
        ["name"] = run.Name,
        ["image"] = specification.Text("image") ?? "",
        ["imageID"] = "",
        ["containerID"] = $"sandbox://{podUid}/{run.Name}/{run.RestartCount}",
        ["restartCount"] = run.RestartCount,
        ["ready"] = run.Ready,
        ["started"] = run.State is ContainerState.Running,
        ["state"] = run.State.ToJson(),
        ["lastState"] = run.LastTermination?.ToJson() ?? [],
    };

    private static JsonObject NotStarted(JsonObject container) => new()
    {
        ["name"] = container.Text("name"),
        ["image"] = container.Text("image") ?? "",
        ["imageID"] = "",
        ["restartCount"] = 0,
        ["ready"] = false,
        ["started"] = false,
        ["state"] = new ContainerState.Waiting("ContainerCreating").ToJson(),
        ["lastState"] = new JsonObject(),
    };
}
