using System.Globalization;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Streaming;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>What kubectl logs asked for.</summary>
public sealed record LogRequest(string Container, bool Follow, bool Previous, int? TailLines, bool Timestamps, TimeSpan? Since)
{
    /// <exception cref="ApiException">400: no such container.</exception>
    internal static LogRequest From(HttpRequest request, JsonObject pod)
    {
        return new LogRequest(
            ContainerNames.Choose(request, pod),
            request.Query["follow"].ToString() is "true" or "1",
            request.Query["previous"].ToString() is "true" or "1",
            int.TryParse(request.Query["tailLines"], CultureInfo.InvariantCulture, out var tail) ? tail : null,
            request.Query["timestamps"].ToString() is "true" or "1",
            int.TryParse(request.Query["sinceSeconds"], CultureInfo.InvariantCulture, out var since) ? TimeSpan.FromSeconds(since) : null);
    }
}

/// <summary>Where the API finds what containers wrote: the kubelets.</summary>
public interface IPodLogs
{
    Task WriteAsync(JsonObject pod, HttpContext context, LogRequest request);
}

/// <summary>An API without kubelets has no logs.</summary>
internal sealed class NoPodLogs : IPodLogs
{
    public Task WriteAsync(JsonObject pod, HttpContext context, LogRequest request) =>
        throw ApiException.BadRequest($"container \"{request.Container}\" in pod \"{pod.Name()}\" is waiting to start: no node runs it");
}
