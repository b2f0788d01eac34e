using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>
/// From a request to the code that answers it, by way of the faults that tests have ordered; errors become Status objects.
/// </summary>
internal sealed class RequestPipeline(ResourceEndpoint endpoint, Misbehaviour misbehaviour, AdminEndpoint admin, CancellationToken stopping)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            if (context.Request.Path.StartsWithSegments("/sandbox"))
                await admin.HandleAsync(context);
            else if (!await SufferAsync(context))
                await RouteAsync(context);
        }
        catch (ApiException e) when (!context.Response.HasStarted)
        {
            await Bodies.WriteAsync(context.Response, e.ToStatus(), e.Code);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested || stopping.IsCancellationRequested)
        {
            // The client is gone, or we are going.
        }
    }

    private Task RouteAsync(HttpContext context)
    {
        var path = context.Request.Path;
        if (path.Value is "/healthz" or "/readyz" or "/livez")
            return context.Response.WriteAsync("ok", context.RequestAborted);
        if (HttpMethods.IsGet(context.Request.Method) && Discovery.Answer(path.Value ?? "") is { } document)
            return Bodies.WriteAsync(context.Response, document);
        var target = ResourceRequest.Parse(path) ?? throw ApiException.NoSuchPath();
        return endpoint.HandleAsync(context, target, stopping);
    }

    // True: the request has been answered (or ended) by a fault.
    private async Task<bool> SufferAsync(HttpContext context)
    {
        var isWatch = ResourceEndpoint.IsWatch(context.Request);
        if (misbehaviour.Next(context.Request.Path.Value ?? "", isWatch) is not { } fault)
            return false;
        if (fault.Delay > TimeSpan.Zero)
            await Task.Delay(fault.Delay, context.RequestAborted);
        switch (fault.Kind)
        {
            case FaultKind.Delay:
                return false;
            case FaultKind.Drop:
                context.Abort();
                return true;
            case FaultKind.Garbage:
                await AnswerAsync(context, "<html>502 Bad Gateway</html>\n");
                return true;
            case FaultKind.Truncate:
                await AnswerAsync(context,
                    isWatch ? "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"na" : "{\"kind\":\"List\",\"items\":[{\"metadata\":{");
                return true;
            case FaultKind.WatchError when isWatch:
                var error = new JsonObject { ["type"] = "ERROR", ["object"] = Status(fault).ToStatus() };
                await AnswerAsync(context, error.ToJsonString() + "\n");
                return true;
            default:
                if (fault.RetryAfterSeconds is { } seconds)
                    context.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
                throw Status(fault);
        }
    }

    private static Task AnswerAsync(HttpContext context, string body)
    {
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body, context.RequestAborted);
    }

    private static ApiException Status(Fault fault) => new(fault.Status, fault.Status switch
    {
        410 => "Expired",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    }, "ordered by the sandbox's fault injection");
}
