using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>UDP queries at a constant rate, each from a new socket, as a resolver sends them: one flow per query.</summary>
internal sealed class Queries
{
    private const int Bytes = 48;

    /// <summary>Queries in flight: so many later, a socket is closed.</summary>
    private const int Waiting = 1024;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public long Sent { get; private set; }

    public long Answered { get; private set; }

    /// <summary>Blocks for the whole time; servers are asked round robin.</summary>
    public void Run(NetworkNamespace from, IReadOnlyList<IPEndPoint> servers, int perSecond, TimeSpan length) => from.Run(() =>
    {
        var waiting = new Socket?[Waiting];
        var question = new byte[Bytes];
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) is var elapsed && elapsed < length)
        {
            for (var due = (long)(elapsed.TotalSeconds * perSecond); Sent < due; Sent++)
            {
                Finish(waiting[Sent % Waiting]);
                var target = servers[(int)(Sent % servers.Count)];
                var socket = new Socket(target.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
                waiting[Sent % Waiting] = socket;
                socket.SendTo(question, target);
            }
            tick.WaitForNextTickAsync().AsTask().Wait();
        }
        // the last queries get time for their answers, too
        var ended = Stopwatch.GetTimestamp();
        foreach (var socket in waiting)
        {
            var left = Patience - Stopwatch.GetElapsedTime(ended);
            if (left > TimeSpan.Zero)
                socket?.Poll(left, SelectMode.SelectRead);
            Finish(socket);
        }
    });

    private void Finish(Socket? socket)
    {
        if (socket is null)
            return;
        Answered += socket.Available > 0 ? 1 : 0;
        socket.Dispose();
    }
}
