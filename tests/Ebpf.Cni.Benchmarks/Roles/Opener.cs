using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>Opens one TCP connection after the other: an exchange with an <see cref="EchoServer"/> on each, then the next.</summary>
internal static class Opener
{
    /// <summary>A connection that has not answered by then has failed.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>Between two connections: a burst that fills the machine would measure itself.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    /// <param name="target">Where to.</param>
    /// <param name="stop">Ends when this file exists; then it prints <see cref="Opened"/> as JSON.</param>
    public static async Task<int> RunAsync(IPEndPoint target, string stop)
    {
        var (count, failures, slowest) = (0, new List<string>(), TimeSpan.Zero);
        while (!File.Exists(stop))
        {
            var started = Stopwatch.GetTimestamp();
            count++;
            try
            {
                using var over = new CancellationTokenSource(Patience);
                await ExchangeAsync(target, over.Token);
                var took = Stopwatch.GetElapsedTime(started);
                slowest = took > slowest ? took : slowest;
            }
            catch (SocketException e)
            {
                failures.Add(e.SocketErrorCode.ToString());
            }
            catch (OperationCanceledException)
            {
                failures.Add(nameof(SocketError.TimedOut));
            }
            await Task.Delay(Pause);
        }
        Console.WriteLine(JsonSerializer.Serialize(new Opened(count, failures, slowest.TotalMilliseconds)));
        return 0;
    }

    private static async Task ExchangeAsync(IPEndPoint target, CancellationToken ct)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(target, ct);
        var message = new byte[EchoServer.MessageBytes];
        await socket.SendAsync(message, ct);
        for (var got = 0; got < message.Length;)
        {
            var n = await socket.ReceiveAsync(message.AsMemory(got), ct);
            got += n > 0 ? n : throw new SocketException((int)SocketError.ConnectionReset);
        }
    }
}

/// <param name="Count">Connections tried.</param>
/// <param name="Failures">Why each one failed that did.</param>
/// <param name="SlowestMilliseconds">Of those that answered: from the SYN to the answer.</param>
internal sealed record Opened(int Count, List<string> Failures, double SlowestMilliseconds);
