using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>
/// Opens connections when told to: "tcp|udp ADDRESS:PORT COUNT" on a unix socket, answered by "NANOSECONDS FAILURES". One process for a whole
/// run, wherever it stands: what starting and warming up costs is paid once, and commands reach it although its network is another.
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
                var (time, failures) = Measure(words[0], IPEndPoint.Parse(words[1]), int.Parse(words[2], CultureInfo.InvariantCulture));
                writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{time.TotalNanoseconds:0} {failures}"));
            }
        }
    }

    private static (TimeSpan Time, int Failures) Measure(string protocol, IPEndPoint target, int count)
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
