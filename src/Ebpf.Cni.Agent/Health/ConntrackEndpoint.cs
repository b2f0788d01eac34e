using System.Globalization;
using System.Net;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Sync.Apply;
using Ebpf.Cni.Sync.Conntrack;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Health;

/// <summary>GET /conntrack: for the node itself only, since it shows which pods talk to each other, and reads the whole table.</summary>
public sealed class ConntrackEndpoint(DataplaneHolder dataplane, ConntrackGarbageCollector collector, AppliedState applied) : IDisposable
{
    private const int TopDefault = 20;
    private const int TopMost = 10_000;

    private readonly SemaphoreSlim _one = new(1, 1);

    public async Task HandleAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var (request, response) = (context.Request, context.Response);
        var (top, json) = (TopDefault, request.Query["format"] == "json");
        if (context.Connection.RemoteIpAddress is not { } peer || !IPAddress.IsLoopback(peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer))
            response.StatusCode = StatusCodes.Status403Forbidden;
        else if (request.Query.TryGetValue("top", out var text)
            && !(int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out top) && top is > 0 and <= TopMost))
            response.StatusCode = StatusCodes.Status400BadRequest;
        else if (!dataplane.Opened.IsCompletedSuccessfully)
            response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        else
            await AnswerAsync(response, top, json, context.RequestAborted);
    }

    public void Dispose() => _one.Dispose();

    private async Task AnswerAsync(HttpResponse response, int top, bool json, CancellationToken cancel)
    {
        // One reader at a time: asking again and again costs no more than one processor.
        await _one.WaitAsync(cancel);
        try
        {
            var listing = await Task.Run(
                () => new ConntrackListing(dataplane.Opened.Result.Conntrack.Top(top), collector.Last, applied.Names), cancel);
            response.ContentType = json ? "application/json" : "text/plain; charset=utf-8";
            await response.Body.WriteAsync(json ? listing.Json() : listing.Text(), cancel);
        }
        catch (KernelException e)
        {
            response.StatusCode = StatusCodes.Status500InternalServerError;
            await response.WriteAsync(e.Message, cancel);
        }
        finally
        {
            _one.Release();
        }
    }
}
