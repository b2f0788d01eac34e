using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>
/// The sandbox's own paths: POST /sandbox/{drop-watches, stall-watches, resume-watches, compact, expire-tokens, clear-faults},
/// POST /sandbox/faults with
/// {"kind":"Status","path":"/services","count":3,"status":500,"delaySeconds":0,"retryAfterSeconds":1,"onlyWatches":false}.
/// </summary>
internal sealed class AdminEndpoint(Misbehaviour misbehaviour, Func<HttpContext, Task<bool>>? extension)
{
    public async Task HandleAsync(HttpContext context)
    {
        if (extension is not null && await extension(context))
            return;
        if (!HttpMethods.IsPost(context.Request.Method))
            throw ApiException.NoSuchPath();
        switch (context.Request.Path.Value)
        {
            case "/sandbox/drop-watches":
                misbehaviour.DropWatches();
                break;
            case "/sandbox/stall-watches":
                misbehaviour.StallWatches();
                break;
            case "/sandbox/resume-watches":
                misbehaviour.ResumeWatches();
                break;
            case "/sandbox/compact":
                misbehaviour.CompactHistory();
                break;
            case "/sandbox/expire-tokens":
                misbehaviour.ExpireContinueTokens();
                break;
            case "/sandbox/clear-faults":
                misbehaviour.Clear();
                break;
            case "/sandbox/faults":
                misbehaviour.Add(Parse(await Bodies.ReadObjectAsync(context.Request)));
                break;
            default:
                throw ApiException.NoSuchPath();
        }

        await Bodies.WriteAsync(context.Response, new JsonObject { ["done"] = true });
    }

    private static Fault Parse(JsonObject body) => Enum.TryParse<FaultKind>(body.Text("kind"), ignoreCase: true, out var kind)
        ? new Fault(
            kind,
            body.Text("path"),
            (int)(body.Number("count") ?? 1),
            (int)(body.Number("status") ?? 500),
            TimeSpan.FromSeconds(body.Number("delaySeconds") ?? 0),
            (int?)body.Number("retryAfterSeconds"),
            body.Flag("onlyWatches"))
        : throw ApiException.BadRequest($"unknown kind of fault: {body.Text("kind")}");
}
