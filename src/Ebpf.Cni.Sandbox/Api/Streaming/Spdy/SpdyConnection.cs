using System.Buffers.Binary;

namespace Ebpf.Cni.Sandbox.Api.Streaming.Spdy;

/// <summary>
/// The server's side of SPDY/3.1 as kubectl speaks it: the client opens streams, both sides send data on them. There is no flow control, as
/// kubectl's side has none.
/// </summary>
internal sealed class SpdyConnection(Stream transport) : IAsyncDisposable
{
    private const int HeadLength = 8, LongestFrame = 1 << 20;
    private const byte Fin = 1;
    private const ushort Version = 3;
    private const ushort OpenStream = 1, AcceptStream = 2, ResetStream = 3, Ping = 6, GoAway = 7;

    private readonly HeaderReader _headers = new();
    private readonly Dictionary<int, SpdyStream> _streams = [];
    private readonly SemaphoreSlim _sending = new(1);
    private bool _accepted;

    /// <summary>Until the client closes.</summary>
    /// <param name="onStream">Called for each stream that the client opens, one at a time; must not wait for what it sends.</param>
    /// <exception cref="InvalidDataException">What is received is not SPDY/3.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task RunAsync(Action<SpdyStream> onStream, CancellationToken ct)
    {
        var head = new byte[HeadLength];
        try
        {
            while (await transport.ReadAtLeastAsync(head, HeadLength, throwOnEndOfStream: false, ct) == HeadLength)
            {
                var length = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(4)) & 0xffffff;
                if (length > LongestFrame)
                    throw new InvalidDataException($"a SPDY frame of {length} bytes");
                var content = new byte[length];
                await transport.ReadExactlyAsync(content, ct);
                var first = BinaryPrimitives.ReadUInt32BigEndian(head);
                if (first >> 31 == 0)
                    await DataAsync((int)first, content, head[4], ct);
                else if (((first >> 16) & 0x7fff) != Version)
                    throw new InvalidDataException($"version {(first >> 16) & 0x7fff} of SPDY");
                else if (!await ControlAsync((ushort)first, content, head[4], onStream, ct))
                    return;
            }
        }
        finally
        {
            foreach (var stream in _streams.Values)
                stream.End();
        }
    }

    public ValueTask DisposeAsync()
    {
        _headers.Dispose();
        _sending.Dispose();
        return ValueTask.CompletedTask;
    }

    internal Task SendDataAsync(int id, ReadOnlyMemory<byte> content, bool last, CancellationToken ct)
    {
        var frame = Frame((uint)id, last ? Fin : (byte)0, content.Length);
        content.CopyTo(frame.AsMemory(HeadLength));
        return SendAsync(frame, ct);
    }

    // False: the client will send nothing more that matters.
    private async Task<bool> ControlAsync(ushort kind, byte[] content, byte flags, Action<SpdyStream> onStream, CancellationToken ct)
    {
        switch (kind)
        {
            case OpenStream:
                await OpenAsync(content, flags, onStream, ct);
                break;
            case ResetStream when _streams.Remove(Id(content), out var stream):
                stream.End();
                break;
            case Ping:
                var answer = Frame(Control(Ping), 0, content.Length);
                content.CopyTo(answer.AsSpan(HeadLength));
                await SendAsync(answer, ct);
                break;
            case GoAway:
                return false;
        }

        return true; // others, such as settings, ask for nothing
    }

    private async Task OpenAsync(byte[] content, byte flags, Action<SpdyStream> onStream, CancellationToken ct)
    {
        const int fixedPart = 10; // id, associated stream, priority, slot
        if (content.Length < fixedPart)
            throw new InvalidDataException("a SPDY stream without an id");
        var stream = new SpdyStream(this, Id(content), _headers.Read(content.AsSpan(fixedPart)));
        _streams[stream.Id] = stream;
        if ((flags & Fin) != 0)
            End(stream);
        var headers = HeaderBlock.Empty(first: !_accepted);
        _accepted = true;
        var answer = Frame(Control(AcceptStream), 0, 4 + headers.Length);
        BinaryPrimitives.WriteInt32BigEndian(answer.AsSpan(HeadLength), stream.Id);
        headers.CopyTo(answer, HeadLength + 4);
        await SendAsync(answer, ct);
        onStream(stream);
    }

    private async Task DataAsync(int id, byte[] content, byte flags, CancellationToken ct)
    {
        if (!_streams.TryGetValue(id, out var stream))
            return; // reset, or ended
        if (content.Length > 0)
            await stream.ReceiveAsync(content, ct);
        if ((flags & Fin) != 0)
            End(stream);
    }

    private void End(SpdyStream stream)
    {
        _streams.Remove(stream.Id);
        stream.End();
    }

    private static int Id(byte[] content) => content.Length >= 4
        ? BinaryPrimitives.ReadInt32BigEndian(content) & 0x7fffffff
        : throw new InvalidDataException("a SPDY frame without an id");

    private static uint Control(ushort kind) => 0x80000000 | ((uint)Version << 16) | kind;

    private static byte[] Frame(uint first, byte flags, int length)
    {
        var frame = new byte[HeadLength + length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, first);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), ((uint)flags << 24) | (uint)length);
        return frame;
    }

    private async Task SendAsync(byte[] frame, CancellationToken ct)
    {
        await _sending.WaitAsync(ct);
        try
        {
            await transport.WriteAsync(frame, ct);
            await transport.FlushAsync(ct);
        }
        finally
        {
            _sending.Release();
        }
    }
}
