using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Cluster;

/// <summary>Waiting for the cluster by watching it.</summary>
public static class Waiting
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Waits until <paramref name="condition"/> holds for the objects that the selector picks, all of them as they are
    /// at one moment. Asked after every change; returns the objects it held for.
    /// </summary>
    /// <exception cref="TimeoutException">Not within <paramref name="limit"/> (60 s); names <paramref name="what"/> and shows the objects.</exception>
    public static async Task<IReadOnlyList<JsonObject>> WaitAsync(
        this ApiClient client, ResourceType type, string ns, string? labels, Func<IReadOnlyList<JsonObject>, bool> condition, string what,
        TimeSpan? limit = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(condition);
        var patience = limit ?? Patience;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(ct);
        over.CancelAfter(patience);
        var now = new Dictionary<string, JsonObject>();
        try
        {
            while (true)
            {
                var (items, version) = await client.ListForWatchAsync(ApiClient.PathOf(type, ns), ApiClient.Query(("labelSelector", labels)), over.Token);
                now = items.ToDictionary(item => item.Uid());
                if (condition([.. now.Values]))
                    return [.. now.Values];
                var query = ApiClient.Query(("labelSelector", labels), ("watch", "true"), ("resourceVersion", version));
                await foreach (var (kind, body) in client.WatchAsync(ApiClient.PathOf(type, ns), query, over.Token))
                {
                    if (kind == "ERROR")
                        break;
                    if (kind == "DELETED")
                        now.Remove(body.Uid());
                    else
                        now[body.Uid()] = body;
                    if (condition([.. now.Values]))
                        return [.. now.Values];
                }
            }
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            var state = string.Join('\n', now.Values.Select(item => $"{item.Name()}: {item["status"]?.ToJsonString() ?? "no status"}"));
            throw new TimeoutException($"did not happen within {patience.TotalSeconds:0} s: {what}\n{state}");
        }
    }

    /// <summary>Waits until exactly <paramref name="count"/> pods match, and all are ready and stay.</summary>
    public static Task<IReadOnlyList<JsonObject>> WaitForPodsReadyAsync(
        this ApiClient client, string labels, int count, string ns = "default", TimeSpan? limit = null, CancellationToken ct = default) =>
        client.WaitAsync(
            ResourceTypes.Pods, ns, labels,
            pods => pods.Count == count && pods.All(pod => pod.Condition("Ready") == "True" && !pod.IsTerminating()),
            $"{count} pods with {labels} ready", limit, ct);

    /// <summary>Waits until the Service's EndpointSlices hold exactly <paramref name="count"/> ready endpoints of each family they have.</summary>
    public static Task<IReadOnlyList<JsonObject>> WaitForEndpointsAsync(
        this ApiClient client, string service, int count, string ns = "default", TimeSpan? limit = null, CancellationToken ct = default) =>
        client.WaitAsync(
            ResourceTypes.EndpointSlices, ns, "kubernetes.io/service-name=" + service,
            slices => (slices.Count > 0 || count == 0) && slices.All(slice => slice.Items("endpoints").Count(IsReady) == count),
            $"{count} ready endpoints of {service}", limit, ct);

    private static bool IsReady(JsonObject endpoint) => endpoint.Flag("conditions", "ready") ?? true;
}
