using System.Collections.Concurrent;
using System.Globalization;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json.Nodes;
using Ebpf.Cni.Sandbox.Api.Streaming.Spdy;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>
/// kubectl port-forward: SPDY in a WebSocket (SPDY/3.1+portforward.k8s.io). Each connection of the client's is a pair of streams with one
/// `requestid`: one
/// for data, and one for what went wrong.
/// </summary>
internal sealed class PortForwardEndpoint(IPodStreams pods)
{
    private const string Protocol = "SPDY/3.1+portforward.k8s.io";

    public async Task RunAsync(HttpContext context, JsonObject pod, CancellationToken stopping)
    {
        var protocol = StreamSocket.Choose(context, [Protocol]);
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        using var socket = await StreamSocket.AcceptAsync(context, protocol);
        await using var transport = WebSocketStream.Create(socket, WebSocketMessageType.Binary, TimeSpan.FromSeconds(1));
        await using var connection = new SpdyConnection(transport);
        var halves = new ConcurrentDictionary<string, SpdyStream>();
        var forwards = new ConcurrentDictionary<Task, byte>();
        try
        {
            await connection.RunAsync(stream => Accept(stream, pod, halves, forwards, ends.Token), ends.Token);
        }
        catch (Exception e) when (e is WebSocketException or IOException or InvalidDataException or OperationCanceledException)
        {
            // the client is gone, or speaks something else
        }

        await ends.CancelAsync();
        await Task.WhenAll(forwards.Keys);
    }

    private void Accept(
        SpdyStream stream,
        JsonObject pod,
        ConcurrentDictionary<string, SpdyStream> halves,
        ConcurrentDictionary<Task, byte> forwards,
        CancellationToken ct)
    {
        var id = stream.Header("requestid");
        if (!halves.TryRemove(id, out var other))
        {
            halves[id] = stream;
            return;
        }

        var (data, errors) = stream.Header("streamtype") == "data" ? (stream, other) : (other, stream);
        var forward = ForwardAsync(data, errors, pod, ct);
        forwards[forward] = 0;
        _ = forward.ContinueWith(done => forwards.TryRemove(done, out _), TaskScheduler.Default);
    }

    private async Task ForwardAsync(SpdyStream data, SpdyStream errors, JsonObject pod, CancellationToken ct)
    {
        try
        {
            await ConnectAsync(data, errors, pod, ct);
            await data.FinishAsync(ct);
            await errors.FinishAsync(ct); // the client waits for its end
        }
        catch (Exception e) when (e is IOException or WebSocketException or OperationCanceledException or ObjectDisposedException)
        {
            // the client is gone
        }
        finally
        {
            await data.Input.DisposeAsync();
            await errors.Input.DisposeAsync();
        }
    }

    private async Task ConnectAsync(SpdyStream data, SpdyStream errors, JsonObject pod, CancellationToken ct)
    {
        var port = int.Parse(data.Header("port"), CultureInfo.InvariantCulture);
        Stream server;
        try
        {
            server = await pods.ConnectAsync(pod, port, ct);
        }
        catch (IOException e)
        {
            await errors.WriteAsync(Encoding.UTF8.GetBytes(e.Message), ct);
            return;
        }

        await using (server)
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(ct))
        {
            var sending = SendAsync(data, server, over.Token);
            try
            {
                var buffer = new byte[SpdyStream.LongestWrite];
                while (await server.ReadAsync(buffer, ct) is > 0 and var count)
                    await data.WriteAsync(buffer.AsMemory(0, count), ct);
            }
            catch (IOException)
            {
                // the server has reset the connection
            }

            await over.CancelAsync();
            await sending;
        }
    }

    private static async Task SendAsync(SpdyStream data, Stream server, CancellationToken ct)
    {
        try
        {
            await data.Input.CopyToAsync(server, ct);
            if (server is NetworkStream network)
                network.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // the server is gone, or has said all
        }
    }
}
