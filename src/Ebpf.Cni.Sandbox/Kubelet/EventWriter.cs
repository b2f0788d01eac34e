using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Tells the cluster what happens to a pod. Best effort, as everywhere: a lost event changes nothing.</summary>
internal sealed class EventWriter(ApiClient api, string node, TimeProvider time)
{
    public Task NormalAsync(JsonObject pod, string reason, string message) => WriteAsync("Normal", pod, reason, message);

    public Task WarningAsync(JsonObject pod, string reason, string message) => WriteAsync("Warning", pod, reason, message);

    private async Task WriteAsync(string type, JsonObject pod, string reason, string message)
    {
        var now = Timestamps.Text(time.GetUtcNow());
        var body = new JsonObject
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Event",
            ["metadata"] = new JsonObject { ["name"] = $"{pod.Name()}.{Guid.NewGuid():N}", ["namespace"] = pod.Namespace() },
            ["involvedObject"] = new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Pod",
                ["namespace"] = pod.Namespace(),
                ["name"] = pod.Name(),
                ["uid"] = pod.Uid(),
            },
            ["type"] = type,
            ["reason"] = reason,
            ["message"] = message,
            ["firstTimestamp"] = now,
            ["lastTimestamp"] = now,
            ["count"] = 1,
            ["source"] = new JsonObject { ["component"] = "kubelet", ["host"] = node },
            ["reportingComponent"] = "kubelet",
            ["reportingInstance"] = node,
        };
        try
        {
            await api.CreateAsync(ResourceTypes.Events, pod.Namespace(), body);
        }
        catch (Exception e) when (e is HttpRequestException or ApiStatusException or IOException or OperationCanceledException
            or ObjectDisposedException)
        {
            // the namespace may be gone, or the API away
        }
    }
}
