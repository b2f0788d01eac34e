using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Benchmarks.Figures;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>
/// Asks two targets in turn, in pairs whose order alternates, so that whatever else the machine does hits both alike.
/// Prints one JSON document: <see cref="PairedFigures"/>.
/// </summary>
internal static class PairedClient
{
    /// <param name="mode">"crr": connect, request, response, close; "rr": request and response on an open connection.</param>
    public static int Run(string mode, IPEndPoint direct, IPEndPoint service, int pairs)
    {
        var warmUp = Math.Max(500, pairs / 10);
        using var exchangeDirect = Exchange.For(mode, direct);
        using var exchangeService = Exchange.For(mode, service);
        var samples = new PairedSamples(pairs);
        for (var i = -warmUp; i < pairs; i++)
        {
            long d, s;
            if ((i & 1) == 0)
            {
                d = exchangeDirect.Once();
                s = exchangeService.Once();
            }
            else
            {
                s = exchangeService.Once();
                d = exchangeDirect.Once();
            }
            if (i >= 0)
                samples.Add(d, s);
        }
        Console.WriteLine(JsonSerializer.Serialize(samples.Summarize()));
        return 0;
    }

    private abstract class Exchange : IDisposable
    {
        protected byte[] Message { get; } = new byte[EchoServer.MessageBytes];

        public static Exchange For(string mode, IPEndPoint target) => mode switch
        {
            "crr" => new ShortConnection(target),
            "rr" => new OpenConnection(target),
            _ => throw new ArgumentException($"unknown mode '{mode}'", nameof(mode)),
        };

        /// <summary>One exchange; its duration in nanoseconds.</summary>
        public long Once()
        {
            var started = Stopwatch.GetTimestamp();
            Perform();
            return (long)(Stopwatch.GetElapsedTime(started).TotalNanoseconds);
        }

        protected abstract void Perform();

        protected void RequestAndResponse(Socket socket)
        {
            socket.Send(Message);
            for (var got = 0; got < Message.Length;)
            {
                var n = socket.Receive(Message.AsSpan(got));
                if (n == 0)
                    throw new IOException("the server closed the connection");
                got += n;
            }
        }

        protected static Socket Connect(IPEndPoint target)
        {
            var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(target);
            return socket;
        }

        public virtual void Dispose()
        {
        }
    }

    private sealed class ShortConnection(IPEndPoint target) : Exchange
    {
        protected override void Perform()
        {
            using var socket = Connect(target);
            // Reset on close: no port waits in TIME_WAIT, so that many connections in a row are possible.
            socket.LingerState = new LingerOption(true, 0);
            RequestAndResponse(socket);
        }
    }

    private sealed class OpenConnection : Exchange
    {
        private readonly Socket _socket;

        public OpenConnection(IPEndPoint target) => _socket = Connect(target);

        protected override void Perform() => RequestAndResponse(_socket);

        public override void Dispose()
        {
            _socket.Dispose();
            base.Dispose();
        }
    }
}
