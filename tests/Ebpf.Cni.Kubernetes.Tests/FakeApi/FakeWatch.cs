using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>One watch's answer, with at most one fault in it.</summary>
internal sealed class FakeWatch(FakeCluster cluster, string path, string? selector, long from, Fault? fault, Func<int> bookmarks)
{
    private long _sent = from;
    private int _events;
    private int _bookmarksSent = bookmarks();
    private string? _previous;

    public async Task RunAsync(HttpContext context, CancellationToken ct)
    {
        context.Response.ContentType = "application/json";
        await context.Response.StartAsync(ct);
        await context.Response.Body.FlushAsync(ct);
        while (true)
        {
            if (await StrikeAsync(context, ct))
                return;
            var (changes, version, more) = cluster.Since(path, selector, _sent);
            if (_sent < cluster.Compacted)
            {
                await SendAsync(context, """{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}""", ct);
                return;
            }

            foreach (var change in changes)
            {
                await SendEventAsync(context, change, ct);
                if (await StrikeAsync(context, ct))
                    return;
            }

            if (changes.Count == 0 && bookmarks() != _bookmarksSent)
            {
                _bookmarksSent = bookmarks();
                _sent = version;
                _events++;
                await SendAsync(
                    context,
                    $$$"""{"type":"BOOKMARK","object":{"kind":"{{{Objects.KindOf(path)}}}","metadata":"""
                    + $$$$"""{"resourceVersion":"{{{{version}}}}","creationTimestamp":null}}}""",
                    ct);
                continue;
            }

            if (changes.Count == 0)
                await more.WaitAsync(ct);
        }
    }

    public static async Task WriteAsync(HttpContext context, byte[] bytes, Fault.Chop? chop, CancellationToken ct)
    {
        var size = chop?.Bytes ?? bytes.Length;
        for (var at = 0; at < bytes.Length; at += size)
        {
            await context.Response.Body.WriteAsync(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)), ct);
            await context.Response.Body.FlushAsync(ct);
        }
    }

    private async Task SendEventAsync(HttpContext context, FakeChange change, CancellationToken ct)
    {
        var line = $$"""{"type":"{{change.Type}}","object":{{change.Object.Json}}}""";
        _sent = change.Version;
        _events++;
        if (fault is Fault.BreakAfter broken && _events > broken.Events)
        {
            await WriteAsync(context, Encoding.UTF8.GetBytes(line[..(line.Length / 2)]), null, ct);
            context.Abort();
            throw new OperationCanceledException("broken as told");
        }

        await SendAsync(context, line, ct);
        if (fault is Fault.Twice)
            await SendAsync(context, line, ct);
        if (fault is Fault.Replay && _previous is not null)
            await SendAsync(context, _previous, ct);
        _previous = line;
    }

    /// <summary>True: the watch is over.</summary>
    private async Task<bool> StrikeAsync(HttpContext context, CancellationToken ct)
    {
        switch (fault)
        {
            case Fault.EndAfter end when _events >= end.Events:
                return true;
            case Fault.StallAfter stall when _events >= stall.Events:
                await Task.Delay(Timeout.Infinite, ct);
                return true;
            case Fault.ErrorAfter error when _events >= error.Events:
                await SendAsync(
                    context,
                    """{"type":"ERROR","object":"""
                    + $$$"""{"kind":"Status","code":{{{error.Code}}},"reason":"{{{error.Reason}}}","message":"{{{error.Message}}}"}}""",
                    ct);
                return true;
            case Fault.GarbageAfter garbage when _events == garbage.Events:
                _events++;
                await SendAsync(context, garbage.Line, ct);
                return false;
            default:
                return false;
        }
    }

    private Task SendAsync(HttpContext context, string line, CancellationToken ct) =>
        WriteAsync(context, Encoding.UTF8.GetBytes(line + "\n"), fault as Fault.Chop, ct);
}
