using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api;
using Microsoft.AspNetCore.Http;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>One log for all containers, which tests write.</summary>
internal sealed class GrowingLog : IPodLogs
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];
    private TaskCompletionSource _grown = NewSignal();

    public void Add(string line)
    {
        TaskCompletionSource grown;
        lock (_lock)
        {
            _lines.Add(line);
            (grown, _grown) = (_grown, NewSignal());
        }

        grown.SetResult();
    }

    public async Task WriteAsync(JsonObject pod, HttpContext context, LogRequest request)
    {
        var written = 0;
        do
        {
            List<string> lines;
            Task grown;
            lock (_lock)
                (lines, grown) = (_lines[written..], _grown.Task);
            foreach (var line in lines)
                await context.Response.WriteAsync(line + "\n", context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            written += lines.Count;
            if (request.Follow)
                await grown.WaitAsync(context.RequestAborted);
        }
        while (request.Follow);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
