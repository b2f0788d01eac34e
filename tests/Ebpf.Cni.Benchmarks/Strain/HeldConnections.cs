using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Benchmarks.Roles;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>TCP connections that stay open, idle or with an exchange per period. Counts those that are lost.</summary>
internal sealed class HeldConnections : IDisposable
{
    /// <summary>A connection without an answer for so long is lost. TCP retransmits several times within it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private const int AtOnce = 200;

    private readonly List<Socket> _sockets = [];
    private int _lost;
    private long _exchanges;
    private long _slowest;

    /// <summary>Connections that were reset or did not answer.</summary>
    public int Lost => _lost;

    public int Count => _sockets.Count;

    public long Exchanges => _exchanges;

    public TimeSpan Slowest => TimeSpan.FromTicks(_slowest);

    /// <param name="from">The clients' namespace.</param>
    /// <param name="local">The clients' address; null: the kernel's choice.</param>
    public async Task OpenAsync(NetworkNamespace from, IPAddress? local, IPEndPoint target, int count)
    {
        var opened = from.Run(() => Enumerable.Range(0, count).Select(_ =>
        {
            var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (local is not null)
                socket.Bind(new IPEndPoint(local, 0));
            return socket;
        }).ToList());
        _sockets.AddRange(opened);
        await Parallel.ForEachAsync(opened, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (socket, ct) =>
        {
            await socket.ConnectAsync(target, ct);
            await ExchangeAsync(socket);
        });
        if (_lost > 0)
            throw new InvalidOperationException($"{_lost} of {count} connections to {target} did not answer at first");
        (_exchanges, _slowest) = (0, 0);
    }

    /// <summary>One exchange on each connection.</summary>
    public Task AskAsync() => Parallel.ForEachAsync(
        _sockets, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (socket, _) => await ExchangeAsync(socket));

    /// <summary>One exchange per period on each connection, until cancelled.</summary>
    public Task KeepAskingAsync(TimeSpan period, CancellationToken end) =>
        Task.WhenAll(_sockets.Select(socket => Task.Run(() => KeepAskingAsync(socket, period, end), CancellationToken.None)));

    public void Dispose() => _sockets.ForEach(s => s.Dispose());

    private async Task KeepAskingAsync(Socket socket, TimeSpan period, CancellationToken end)
    {
        using var tick = new PeriodicTimer(period);
        try
        {
            while (await ExchangeAsync(socket))
                await tick.WaitForNextTickAsync(end);
        }
        catch (OperationCanceledException)
        {
            // The end of the measurement.
        }
    }

    /// <returns>False: the connection is lost.</returns>
    private async Task<bool> ExchangeAsync(Socket socket)
    {
        var message = new byte[EchoServer.MessageBytes];
        var started = Stopwatch.GetTimestamp();
        using var over = new CancellationTokenSource(Patience);
        try
        {
            await socket.SendAsync(message, over.Token);
            for (var got = 0; got < message.Length;)
            {
                var n = await socket.ReceiveAsync(message.AsMemory(got), over.Token);
                got += n > 0 ? n : throw new SocketException((int)SocketError.ConnectionReset);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            Interlocked.Increment(ref _lost);
            return false;
        }
        Interlocked.Increment(ref _exchanges);
        Longest(Stopwatch.GetElapsedTime(started).Ticks);
        return true;
    }

    private void Longest(long ticks)
    {
        for (var known = Volatile.Read(ref _slowest); ticks > known; known = Volatile.Read(ref _slowest))
            if (Interlocked.CompareExchange(ref _slowest, ticks, known) == known)
                return;
    }
}
