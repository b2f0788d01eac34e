using System.Net;

namespace Ebpf.Cni.Kubernetes.Tests.OddApi;

/// <summary>A part of a body.</summary>
/// <param name="Bytes">What is read; null: nothing.</param>
/// <param name="After">Simulated time before it.</param>
/// <param name="Failure">Thrown instead.</param>
/// <param name="Forever">The same again and again.</param>
internal sealed record Piece(byte[]? Bytes = null, TimeSpan After = default, Exception? Failure = null, bool Forever = false);

/// <summary>
/// A response's body that is read piece by piece, in simulated time and on the reader's own thread:
/// a caller that adds a piece or lets time pass runs what waits for it before its call returns.
/// </summary>
internal sealed class ScriptedBody(TimeProvider time) : HttpContent
{
    private readonly Queue<Piece> _pieces = new();
    private ReadOnlyMemory<byte> _rest;
    private TaskCompletionSource? _waiting;
    private TaskCompletionSource? _pausing;
    private bool _ended;

    public ScriptedBody Add(params ReadOnlySpan<Piece> pieces)
    {
        foreach (var piece in pieces)
            _pieces.Enqueue(piece);
        Interlocked.Exchange(ref _waiting, null)?.TrySetResult();
        return this;
    }

    public ScriptedBody Add(string text) => Add(new Piece(System.Text.Encoding.UTF8.GetBytes(text)));

    public ScriptedBody End()
    {
        _ended = true;
        return Add();
    }

    /// <summary>The connection goes away, whatever was still to come.</summary>
    public void Stop(Exception? failure)
    {
        _pieces.Clear();
        if (failure is not null)
            _pieces.Enqueue(new Piece(Failure: failure));
        _ended = true;
        _pausing?.TrySetResult();
        Add();
    }

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult<Stream>(new Reader(this));

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => throw new NotSupportedException();

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct)
    {
        while (true)
        {
            ct.ThrowIfCancellationRequested();
            if (!_rest.IsEmpty)
            {
                var count = Math.Min(_rest.Length, buffer.Length);
                _rest[..count].CopyTo(buffer);
                _rest = _rest[count..];
                return count;
            }

            if (_pieces.TryDequeue(out var piece))
            {
                if (piece.After > TimeSpan.Zero)
                    await WaitAsync(piece.After, ct).ConfigureAwait(false);
                if (_ended && piece.Forever)
                    return 0;
                if (piece.Failure is not null)
                    throw piece.Failure;
                if (piece.Forever)
                    _pieces.Enqueue(piece);
                _rest = piece.Bytes;
                continue;
            }

            if (_ended)
                return 0;
            await WaitAsync(Timeout.InfiniteTimeSpan, ct).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Until there is another piece, or time has passed. The caller that
    /// causes the end runs what follows: nothing here goes to other threads.
    /// </summary>
    private async Task WaitAsync(TimeSpan limit, CancellationToken ct)
    {
        var waiting = new TaskCompletionSource();
        if (limit == Timeout.InfiniteTimeSpan)
            _waiting = waiting;
        else
            _pausing = waiting;
        using var timer = time.CreateTimer(_ => waiting.TrySetResult(), null, limit, Timeout.InfiniteTimeSpan);
        using (ct.Register(() => waiting.TrySetCanceled(ct)))
            await waiting.Task.ConfigureAwait(false);
    }

    private sealed class Reader(ScriptedBody body) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            body.ReadAsync(buffer, cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
