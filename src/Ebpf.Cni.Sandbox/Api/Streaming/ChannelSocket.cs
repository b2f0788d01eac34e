using System.Net.WebSockets;

namespace Ebpf.Cni.Sandbox.Api.Streaming;

/// <summary>
/// The streams of a command on one WebSocket: each binary message begins with the number of its stream (v4.channel.k8s.io, and v5, which
/// can also close one).
/// </summary>
internal sealed class ChannelSocket(WebSocket socket) : IDisposable
{
    public const byte Input = 0, Output = 1, Errors = 2, Status = 3, Size = 4;

    /// <summary>A message of this stream closes the one that its only byte names.</summary>
    public const byte Close = 255;

    private const int Longest = 32 * 1024;

    /// <summary>The protocols that are spoken, the best first.</summary>
    public static readonly string[] Protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"];

    private readonly SemaphoreSlim _sending = new(1);
    private readonly byte[] _received = new byte[64 * 1024];

    /// <summary>Sends all that the stream has, until it ends.</summary>
    public async Task CopyAsync(Stream from, byte channel, CancellationToken ct)
    {
        var buffer = new byte[Longest];
        buffer[0] = channel;
        try
        {
            while (await from.ReadAsync(buffer.AsMemory(1), ct) is > 0 and var count)
                await SendAsync(buffer.AsMemory(0, count + 1), ct);
        }
        catch (IOException)
        {
            // a terminal that no process has open any more ends this way
        }
    }

    public Task SendAsync(byte channel, ReadOnlySpan<byte> content, CancellationToken ct)
    {
        var message = new byte[content.Length + 1];
        message[0] = channel;
        content.CopyTo(message.AsSpan(1));
        return SendAsync(message, ct);
    }

    /// <summary>The next message, valid until the following call; null once the client has closed.</summary>
    /// <exception cref="WebSocketException">The connection broke, or the message is too long.</exception>
    public async Task<(byte Channel, ReadOnlyMemory<byte> Content)?> ReceiveAsync(CancellationToken ct)
    {
        var length = 0;
        while (true)
        {
            var part = await socket.ReceiveAsync(_received.AsMemory(length), ct);
            if (part.MessageType == WebSocketMessageType.Close)
                return null;
            length += part.Count;
            if (part.EndOfMessage && length > 0)
                return (_received[0], _received.AsMemory(1, length - 1));
            if (length == _received.Length)
                throw new WebSocketException(WebSocketError.HeaderError, "a message of the client is too long");
        }
    }

    public async Task CloseAsync(CancellationToken ct)
    {
        await _sending.WaitAsync(ct);
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, ct);
        }
        finally
        {
            _sending.Release();
        }
    }

    public void Dispose() => _sending.Dispose();

    private async Task SendAsync(ReadOnlyMemory<byte> message, CancellationToken ct)
    {
        await _sending.WaitAsync(ct);
        try
        {
            await socket.SendAsync(message, WebSocketMessageType.Binary, true, ct);
        }
        finally
        {
            _sending.Release();
        }
    }
}
