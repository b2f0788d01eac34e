using System.IO.Pipelines;

namespace Ebpf.Cni.Sandbox.Api.Streaming.Spdy;

/// <summary>One stream of a connection, opened by the client.</summary>
internal sealed class SpdyStream(SpdyConnection connection, int id, IReadOnlyDictionary<string, string> headers)
{
    /// <summary>In one frame.</summary>
    public const int LongestWrite = 32 * 1024;

    private readonly Pipe _received = new();
    private int _finished;

    public int Id { get; } = id;

    /// <summary>What the client sends, to its end. Once it is disposed, what still comes is dropped.</summary>
    public Stream Input => _received.Reader.AsStream();

    /// <summary>Empty: the client sent none of this name.</summary>
    public string Header(string name) => headers.GetValueOrDefault(name, "");

    public Task WriteAsync(ReadOnlyMemory<byte> content, CancellationToken ct) => connection.SendDataAsync(Id, content, last: false, ct);

    /// <summary>Nothing more will be written.</summary>
    public Task FinishAsync(CancellationToken ct) => Interlocked.Exchange(ref _finished, 1) == 0
        ? connection.SendDataAsync(Id, ReadOnlyMemory<byte>.Empty, last: true, ct)
        : Task.CompletedTask;

    /// <summary>Waits while too much is unread: then the whole connection stands, as SPDY/3 without flow control has it.</summary>
    internal async Task ReceiveAsync(ReadOnlyMemory<byte> content, CancellationToken ct) => await _received.Writer.WriteAsync(content, ct);

    /// <summary>The client sends no more.</summary>
    internal void End() => _received.Writer.Complete();
}
