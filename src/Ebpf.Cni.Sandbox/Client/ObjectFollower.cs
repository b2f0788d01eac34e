using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Client;

/// <summary>
/// Follows all objects of a kind that a selector picks: lists, watches, and lists again when a watch cannot go on. What
/// went away between two lists is told too.
/// </summary>
public sealed class ObjectFollower(ApiClient client, ResourceType type, string ns = "", string? labels = null, string? fields = null)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Dictionary<string, JsonObject> _known = [];

    /// <summary>
    /// Runs until cancelled. Called back one at a time: with each object as it is, and with the last state of one that is
    /// gone; <paramref name="onConsistent"/> after a whole list, and after each event.
    /// </summary>
    public async Task RunAsync(Action<JsonObject> onPresent, Action<JsonObject> onGone, CancellationToken ct, Action? onConsistent = null)
    {
        while (true)
        {
            try
            {
                await FollowAsync(onPresent, onGone, onConsistent ?? (() => { }), ct);
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ApiStatusException
                && !ct.IsCancellationRequested)
            {
                await Task.Delay(Pause, ct); // the API is away, or misbehaves as it was told to
            }
        }
    }

    private async Task FollowAsync(Action<JsonObject> onPresent, Action<JsonObject> onGone, Action onConsistent, CancellationToken ct)
    {
        var path = ApiClient.PathOf(type, ns);
        var (items, version) = await client.ListForWatchAsync(
            path, ApiClient.Query(("labelSelector", labels), ("fieldSelector", fields)), ct);
        var uids = items.Select(item => item.Uid()).ToHashSet();
        foreach (var gone in _known.Values.Where(known => !uids.Contains(known.Uid())).ToList())
            Gone(gone, onGone);
        foreach (var item in items)
            Present(item, onPresent);
        onConsistent();
        while (true)
        {
            var query = ApiClient.Query(
                ("labelSelector", labels), ("fieldSelector", fields), ("watch", "true"), ("allowWatchBookmarks", "true"),
                ("resourceVersion", version));
            await foreach (var (kind, body) in client.WatchAsync(path, query, ct))
            {
                if (kind == "ERROR")
                    return; // 410: the list starts anew
                version = body.Text("metadata", "resourceVersion") ?? version;
                if (kind is "ADDED" or "MODIFIED")
                    Present(body, onPresent);
                else if (kind == "DELETED")
                    Gone(body, onGone);
                onConsistent();
            }
        }
    }

    private void Present(JsonObject body, Action<JsonObject> onPresent)
    {
        _known[body.Uid()] = body;
        onPresent(body);
    }

    private void Gone(JsonObject body, Action<JsonObject> onGone)
    {
        _known.Remove(body.Uid());
        onGone(body);
    }
}
