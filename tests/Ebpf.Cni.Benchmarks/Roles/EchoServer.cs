using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>The thing that is asked: answers every 64-byte request with the same 64 bytes, one thread a connection.</summary>
internal static class EchoServer
{
    public const int MessageBytes = 64;

    public static int Run(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(512);
        Console.WriteLine("listening");
        // Short connections are served on the accepting thread: a hand-over between threads would be most of what is measured.
        while (true)
        {
            var connection = listener.Accept();
            connection.NoDelay = true;
            if (!Answer(connection))
                continue;
            new Thread(() => { while (Answer(connection)) { } }) { IsBackground = true }.Start();
        }
    }

    /// <summary>One exchange; a request whose first byte is 0 closes the connection after its answer.</summary>
    private static bool Answer(Socket connection)
    {
        Span<byte> message = stackalloc byte[MessageBytes];
        try
        {
            for (var got = 0; got < MessageBytes;)
            {
                var n = connection.Receive(message[got..]);
                if (n == 0)
                {
                    connection.Dispose();
                    return false;
                }
                got += n;
            }
            connection.Send(message);
            if (message[0] != 0)
                return true;
        }
        catch (SocketException)
        {
            // The peer went away: nothing to answer.
        }
        connection.Dispose();
        return false;
    }
}
