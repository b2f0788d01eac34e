using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Client;

/// <summary>Waiting for the cluster by watching it.</summary>
public static class Waiting
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Waits until <paramref name="condition"/> holds for the objects that the selector picks, all of them as they are
    /// at one moment. Asked after every change; returns the objects it held for.
    /// </summary>
    /// <exception cref="TimeoutException">
    /// Not within <paramref name="limit"/> (60 s); names <paramref name="what"/> and shows the objects.
    /// </exception>
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
        IReadOnlyList<JsonObject>? met = null;
        void Check()
        {
            if (met is not null || !condition([.. now.Values]))
                return;
            met = [.. now.Values];
            over.Cancel();
        }

        try
        {
            await new ObjectFollower(client, type, ns, labels)
                .RunAsync(body => now[body.Uid()] = body, body => now.Remove(body.Uid()), over.Token, Check);
        }
        catch (OperationCanceledException) when (met is not null || !ct.IsCancellationRequested)
        {
            // found, or not in time
        }
        return met ?? throw new TimeoutException(
            $"did not happen within {patience.TotalSeconds:0} s: {what}\n"
            + string.Join('\n', now.Values.Select(item => $"{item.Name()}: {item["status"]?.ToJsonString() ?? "no status"}")));
    }

    /// <summary>Waits until exactly <paramref name="count"/> pods match, and all are ready and stay.</summary>
    public static Task<IReadOnlyList<JsonObject>> WaitForPodsReadyAsync(
        this ApiClient client, string labels, int count, string ns = "default", TimeSpan? limit = null, CancellationToken ct = default) =>
        client.WaitAsync(
            ResourceTypes.Pods, ns, labels,
            pods => pods.Count == count && pods.All(pod => pod.Condition("Ready") == "True" && !pod.IsTerminating()),
            $"{count} pods with {labels} ready", limit, ct);

    /// <summary>
    /// Waits until the Service's EndpointSlices hold exactly <paramref name="count"/> ready endpoints of each family they have.
    /// </summary>
    public static Task<IReadOnlyList<JsonObject>> WaitForEndpointsAsync(
        this ApiClient client, string service, int count, string ns = "default", TimeSpan? limit = null, CancellationToken ct = default) =>
        client.WaitAsync(
            ResourceTypes.EndpointSlices, ns, "kubernetes.io/service-name=" + service,
            slices => (slices.Count > 0 || count == 0) && slices.All(slice => slice.Items("endpoints").Count(IsReady) == count),
            $"{count} ready endpoints of {service}", limit, ct);

    private static bool IsReady(JsonObject endpoint) => endpoint.Flag("conditions", "ready") ?? true;
}
