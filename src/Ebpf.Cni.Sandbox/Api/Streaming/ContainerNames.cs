using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>Which container of a pod a request means.</summary>
internal static class ContainerNames
{
    /// <summary>The one that `container` names; without it the only one.</summary>
    /// <exception cref="ApiException">400: it names none of the pod's, or the pod has several.</exception>
    public static string Choose(HttpRequest request, JsonObject pod)
    {
        var names = pod.Items("spec", "containers").Select(c => c.Text("name") ?? "").ToList();
        var initial = pod.Items("spec", "initContainers").Select(c => c.Text("name") ?? "");
        var wanted = request.Query["container"].ToString();
        if (wanted.Length == 0 && names.Count > 1)
            throw ApiException.BadRequest(
                $"a container name must be specified for pod {pod.Name()}, choose one of: [{string.Join(' ', names)}]");
        if (wanted.Length > 0 && !names.Concat(initial).Contains(wanted))
            throw ApiException.BadRequest($"container {wanted} is not valid for pod {pod.Name()}");
        return wanted.Length > 0 ? wanted : names[0];
    }
}
