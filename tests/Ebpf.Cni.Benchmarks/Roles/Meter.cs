using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>
/// Opens connections when told to: "tcp|udp ADDRESS:PORT COUNT" on a unix socket, answered by "NANOSECONDS FAILURES"; "rr ADDRESS:PORT
/// COUNT", the same for exchanges on one open connection; "stream ADDRESS:PORT MILLISECONDS", answered by "NANOSECONDS BYTES" that arrived.
/// One process for a whole run, wherever it stands: what starting and warming up costs is paid once, and commands reach it although its
/// network is another.
/// </summary>
internal static class Meter
{
    private static readonly byte[] Message = new byte[EchoServer.MessageBytes];

    public static int Run(string path)
    {
        File.Delete(path);
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen(1);
        while (true)
        {
            using var stream = new NetworkStream(listener.Accept(), ownsSocket: true);
            using var reader = new StreamReader(stream);
            using var writer = new StreamWriter(stream) { AutoFlush = true };
            while (reader.ReadLine() is { } line)
            {
                var words = line.Split(' ');
                var (target, amount) = (IPEndPoint.Parse(words[1]), int.Parse(words[2], CultureInfo.InvariantCulture));
                var (time, result) = words[0] switch
                {
                    "rr" => Exchanges(target, amount),
                    "reach" => Reach(target, TimeSpan.FromMilliseconds(amount)),
                    "stream" => Stream(target, TimeSpan.FromMilliseconds(amount)),
                    _ => Measure(words[0], target, amount),
                };
                writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.TotalNanoseconds:0} {result}"));
            }
        }
    }

    /// <summary>1: a connection was made within the limit.</summary>
    private static (TimeSpan Time, long Made) Reach(IPEndPoint target, TimeSpan limit)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        var started = Stopwatch.GetTimestamp();
        try
        {
            using var over = new CancellationTokenSource(limit);
            socket.ConnectAsync(target, over.Token).AsTask().Wait();
            return (Stopwatch.GetElapsedTime(started), 1);
        }
        catch (AggregateException)
        {
            return (Stopwatch.GetElapsedTime(started), 0);
        }
    }

    private static (TimeSpan Time, long Failures) Exchanges(IPEndPoint target, int count)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(target);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
            Exchange(socket);
        return (Stopwatch.GetElapsedTime(started), 0);
    }

    /// <summary>The time ends when the receiver has said how much it got: nothing counts that is still in a queue.</summary>
    private static (TimeSpan Time, long Bytes) Stream(IPEndPoint target, TimeSpan length)
    {
        var data = new byte[128 * 1024];
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(target);
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < length)
            socket.Send(data);
        socket.Shutdown(SocketShutdown.Send);
        var answer = new byte[sizeof(long)];
        for (var got = 0; got < answer.Length;)
            got += socket.Receive(answer.AsSpan(got)) is > 0 and var n ? n : throw new SocketException((int)SocketError.ConnectionReset);
        return (Stopwatch.GetElapsedTime(started), BitConverter.ToInt64(answer));
    }

    private static (TimeSpan Time, long Failures) Measure(string protocol, IPEndPoint target, int count)
    {
        var failures = 0;
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < count; i++)
        {
            try
            {
                if (protocol == "udp")
                    Datagram(target);
                else
                    Connection(target);
            }
            catch (SocketException)
            {
                failures++;
            }
        }
        return (Stopwatch.GetElapsedTime(started), failures);
    }

    /// <summary>Reset on close: no port waits in TIME_WAIT, so that many connections in a row are possible.</summary>
    private static void Connection(IPEndPoint target)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(target);
        socket.LingerState = new LingerOption(true, 0);
        Exchange(socket);
    }

    /// <summary>A new socket asks once: a flow of its own for whoever tracks flows.</summary>
    private static void Datagram(IPEndPoint target)
    {
        using var socket = new Socket(target.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveTimeout = 1000 };
        socket.Connect(target);
        Exchange(socket);
    }

    private static void Exchange(Socket socket)
    {
        socket.Send(Message);
        Span<byte> answer = stackalloc byte[EchoServer.MessageBytes];
        for (var got = 0; got < answer.Length;)
        {
            var n = socket.Receive(answer[got..]);
            if (n == 0)
                throw new SocketException((int)SocketError.ConnectionReset);
            got += n;
        }
    }
}
