using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Ebpf.Cni.Sandbox.Client;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Kubelet;

/// <summary>Writes a pod's status to the API: the newest one, as often as it changes, until it got there.</summary>
internal sealed class StatusPublisher(KubeletContext node, Func<JsonObject> status, Func<JsonObject> pod)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);
    private readonly Channel<bool> _dirty = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Something changed.</summary>
    public void Touch() => _dirty.Writer.TryWrite(true);

    /// <summary>Until cancelled, or the pod is no more.</summary>
    public async Task RunAsync(CancellationToken ct)
    {
        try
        {
            await foreach (var _ in _dirty.Reader.ReadAllAsync(ct))
                if (!await PublishAsync(ct))
                    return;
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
            // the pod is taken down: its object goes next
        }
    }

    private async Task<bool> PublishAsync(CancellationToken ct)
    {
        while (true)
        {
            try
            {
                var patch = new JsonObject { ["status"] = status() };
                await node.Api.PatchAsync(ResourceTypes.Pods, pod().Namespace(), pod().Name(), patch, "status", ct);
                return true;
            }
            catch (ApiStatusException e) when (e.Code == HttpStatusCode.NotFound)
            {
                return false;
            }
            catch (Exception e) when (e is HttpRequestException or IOException or JsonException or ApiStatusException)
            {
                await Task.Delay(Pause, node.Time, ct);
            }
        }
    }
}
