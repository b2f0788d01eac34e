using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>
/// A ready node whose pods run as soon as they are bound to it, and are gone as soon as they are deleted; nothing is started.
/// </summary>
internal sealed class PlayedNode : IAsyncDisposable
{
    private readonly ObjectStore _store;
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _running;

    public PlayedNode(ObjectStore store, string name)
    {
        _store = store;
        var node = Parse("""{"status":{"conditions":[{"type":"Ready","status":"True"}]}}""");
        node.Child("metadata")["name"] = name;
        store.Create(ResourceTypes.Nodes, node);
        _running = RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    private static JsonObject Parse(string json) => (JsonObject)JsonNode.Parse(json)!;

    private async Task RunAsync()
    {
        var (_, _, watch) = _store.ListAndWatch(ResourceTypes.Pods);
        using (watch)
        {
            try
            {
                await foreach (var change in watch.Changes.ReadAllAsync(_stop.Token))
                    if (change.Kind != StoreEventKind.Deleted && change.Object.Json.Text("spec", "nodeName") is not null)
                        Play(change.Object.Json);
            }
            catch (OperationCanceledException)
            {
                // the test is over
            }
        }
    }

    private void Play(JsonObject pod)
    {
        try
        {
            if (pod.IsTerminating())
                _store.Remove(ResourceTypes.Pods, pod.Namespace(), pod.Name());
            else
                _store.Update(ResourceTypes.Pods, pod.Namespace(), pod.Name(), Run);
        }
        catch (ApiException e) when (e.Code == 404)
        {
            // deleted meanwhile
        }
    }

    private static JsonObject Run(JsonObject pod)
    {
        var statuses = pod.Items("spec", "containers").Select(c => (JsonNode)new JsonObject
        {
            ["name"] = c.Text("name"),
            ["ready"] = true,
            ["restartCount"] = 0,
            ["state"] = Parse("""{"running":{}}"""),
        });
        pod["status"] = Parse("""
            {"phase":"Running","podIP":"10.244.0.9","podIPs":[{"ip":"10.244.0.9"}],"conditions":[{"type":"Ready","status":"True"}]}
            """);
        pod.Child("status")["containerStatuses"] = statuses.ToJsonArray();
        return pod;
    }
}
