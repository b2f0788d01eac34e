using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>kubectl exec and cp: a command in a container, its streams on a WebSocket.</summary>
internal sealed class ExecEndpoint(IPodStreams pods)
{
    public async Task RunAsync(HttpContext context, JsonObject pod, CancellationToken stopping)
    {
        var request = ExecRequest.From(context.Request, pod);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        // kubectl that is refused asks again without a WebSocket, and shows that answer: it must name the same cause
        var start = await pods.ExecAsync(pod, request, ends.Token);
        var protocol = StreamSocket.Choose(context, ChannelSocket.Protocols);
        await using var process = start();
        using var socket = await StreamSocket.AcceptAsync(context, protocol);
        using var channels = new ChannelSocket(socket);
        try
        {
            await ServeAsync(channels, process, request, ends);
        }
        catch (Exception e) when (e is WebSocketException or IOException or OperationCanceledException)
        {
            // the client is gone: the command is killed
        }
    }

    private static async Task ServeAsync(ChannelSocket channels, IPodProcess process, ExecRequest request, CancellationTokenSource ends)
    {
        if (!request.Input && !request.Terminal)
            process.Input.Close();
        // also without input: only a socket that is read answers pings, and tells that the client left
        var reading = ReceiveAsync(channels, process, request, ends);
        var outputs = Task.WhenAll(
            channels.CopyAsync(process.Output, ChannelSocket.Output, ends.Token),
            process.Errors is { } errors ? channels.CopyAsync(errors, ChannelSocket.Errors, ends.Token) : Task.CompletedTask);
        var code = await process.WaitAsync(ends.Token);
        await outputs;
        await channels.SendAsync(ChannelSocket.Status, Encoding.UTF8.GetBytes(Status(code).ToJsonString()), ends.Token);
        await channels.CloseAsync(ends.Token);
        await reading; // until the client closes too: what it has not read yet would be lost
    }

    private static async Task ReceiveAsync(ChannelSocket channels, IPodProcess process, ExecRequest request, CancellationTokenSource ends)
    {
        try
        {
            while (await channels.ReceiveAsync(ends.Token) is var (channel, content))
                await TakeAsync(channel, content, process, request, ends.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // a client that goes without a word
        }

        await ends.CancelAsync();
    }

    private static async Task TakeAsync(
        byte channel, ReadOnlyMemory<byte> content, IPodProcess process, ExecRequest request, CancellationToken ct)
    {
        try
        {
            if (channel == ChannelSocket.Size && request.Terminal && JsonNode.Parse(content.Span) is { } size)
                process.Resize((ushort)(size.Number("Width") ?? 0), (ushort)(size.Number("Height") ?? 0));
            else if (channel == ChannelSocket.Input && request.Input && process.Input.CanWrite)
                await process.Input.WriteAsync(content, ct);
            else if (channel == ChannelSocket.Close && content.Span is [ChannelSocket.Input] && !request.Terminal)
                process.Input.Close();
        }
        catch (Exception e) when (e is IOException or JsonException or ObjectDisposedException)
        {
            // the command does not read its input, or has ended
        }
    }

    /// <summary>The last word on the status stream: kubectl ends with the command's exit code.</summary>
    private static JsonObject Status(int code) => code == 0
        ? new JsonObject { ["metadata"] = new JsonObject(), ["status"] = "Success" }
        : new JsonObject
        {
            ["metadata"] = new JsonObject(),
            ["status"] = "Failure",
            ["message"] = $"command terminated with non-zero exit code: exit status {code}",
            ["reason"] = "NonZeroExitCode",
            ["details"] = new JsonObject
            {
                ["causes"] = new JsonArray(
                    new JsonObject { ["reason"] = "ExitCode", ["message"] = code.ToString(CultureInfo.InvariantCulture) }),
            },
        };
}
