using System.Net.Sockets;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// A connection that is read less often in a storm. Each event of a watch is a segment of its own, and most of what it costs is waking
/// for it: the thread that polls, one that decrypts, one that decodes. When reads follow each other closely, the next one waits a
/// moment for more to come; then one wake-up serves them all, and the kernel announces nothing
/// meanwhile (SO_RCVLOWAT, see socket(7)). After quiet, and where data are there already, nothing waits. The more
/// comes the shorter are the pauses, so that neither a list nor a large object is held up by a window that is full.
/// </summary>
/// <param name="socket">Connected; the stream owns it.</param>
/// <param name="time">The clock.</param>
internal sealed class StormStream(Socket socket, TimeProvider time) : NetworkStream(socket, ownsSocket: true)
{
    /// <summary>Half of what the agent's loop waits between two passes in a storm (--min-sync-period): it adds to that.</summary>
    public static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(25);

    public static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(2.5);

    /// <summary>Bytes. A pause that brings fewer is doubled.</summary>
    public const int Few = 96 << 10;

    /// <summary>Bytes. A pause that brings so many is halved; so many the kernel makes room for (tcp_set_rcvlowat).</summary>
    public const int Plenty = 2 * Few;

    /// <summary>So many reads within <see cref="Closely"/> are a storm, until a pause in which nothing comes.</summary>
    public const int Several = 4;

    public static readonly TimeSpan Closely = TimeSpan.FromMilliseconds(80);

    private readonly (long At, int Bytes)[] _reads = new (long, int)[Several];
    private int _next;
    private bool _storm;
    private TimeSpan _pause;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_storm && Waiting() == 0)
        {
            await Task.Delay(_pause, time, cancellationToken).ConfigureAwait(false);
            Paused(Waiting());
        }

        var read = await base.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        // A read into nothing waits for data and takes none; one that leaves something is a part of something larger.
        if (read > 0 && !_storm && Waiting() == 0)
            Note(read);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    private void Paused(int brought)
    {
        Storm(brought > 0);
        if (brought >= Plenty)
            _pause = Bounded(_pause / 2);
        else if (brought < Few)
            _pause = Bounded(_pause * 2);
    }

    private void Note(int bytes)
    {
        var now = time.GetTimestamp();
        // the one that is overwritten is the oldest of several
        var oldest = _reads[_next].At;
        _reads[_next] = (now, bytes);
        _next = (_next + 1) % Several;
        var since = time.GetElapsedTime(oldest, now);
        if (oldest == 0 || since > Closely)
            return;
        Storm(true);
        _pause = Bounded(since * Few / _reads.Sum(r => r.Bytes));
        Array.Clear(_reads);
    }

    private void Storm(bool now)
    {
        if (_storm == now)
            return;
        _storm = now;
        // Without a storm a read waits for the announcement: for one byte.
        Socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReceiveLowWater, now ? Plenty : 1);
    }

    private static TimeSpan Bounded(TimeSpan pause) => pause < ShortestPause ? ShortestPause : pause > LongestPause ? LongestPause : pause;

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
