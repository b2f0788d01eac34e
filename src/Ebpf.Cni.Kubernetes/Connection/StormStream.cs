using System.Net.Sockets;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// A connection that is read less often in a storm. Each event of a watch is a segment of its own, and most of what it costs is waking
/// for it: the thread that polls, one that decrypts, one that decodes. When reads follow each other closely, the next one waits a
/// moment for more to come; then one wake-up serves them all. After quiet, and where data are there already, nothing waits. The more a
/// pause brings the shorter is the next one, so that a list is not held up by a window that is full.
/// </summary>
/// <param name="socket">Connected; the stream owns it.</param>
/// <param name="time">The clock.</param>
internal sealed class StormStream(Socket socket, TimeProvider time) : NetworkStream(socket, ownsSocket: true)
{
    /// <summary>As long as the agent's loop waits between two passes in a storm (--min-sync-period).</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(2.5);

    /// <summary>Bytes. A pause that brings so many was too long: half of the smallest window that a sender may have to wait for.</summary>
    public const int Plenty = 32 << 10;

    /// <summary>Bytes. One that brings fewer may be longer.</summary>
    public const int Few = 8 << 10;

    /// <summary>So many reads within <see cref="Closely"/> are a storm, until a pause in which nothing comes.</summary>
    public const int Several = 4;

    public static readonly TimeSpan Closely = TimeSpan.FromMilliseconds(80);

    private readonly long[] _reads = new long[Several];
    private int _next;
    private bool _storm;
    private TimeSpan _pause = Pause;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_storm && Waiting() == 0)
        {
            await Task.Delay(_pause, time, cancellationToken).ConfigureAwait(false);
            Paused(Waiting());
        }

        var read = await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        // A read into nothing waits for data and takes none; a large one is a part of something large.
        if (!buffer.IsEmpty && read < Few)
            Note();
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private void Paused(int brought)
    {
        _storm = brought > 0;
        if (brought >= Plenty)
            _pause = _pause / 2 > ShortestPause ? _pause / 2 : ShortestPause;
        else if (brought < Few)
            _pause = _pause * 2 < Pause ? _pause * 2 : Pause;
    }

    private void Note()
    {
        if (_storm)
            return;
        var now = time.GetTimestamp();
        // the one that will be overwritten is the oldest of several
        var oldest = _reads[_next];
        _reads[_next] = now;
        _next = (_next + 1) % Several;
        if (oldest == 0 || time.GetElapsedTime(oldest, now) > Closely)
            return;
        _storm = true;
        Array.Clear(_reads);
    }

    private int Waiting()
    {
        try
        {
            return Socket.Available;
        }
        catch (SocketException)
        {
            return 0; // the read tells
        }
    }
}
