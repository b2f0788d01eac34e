using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>
/// The thing that is asked: answers every 64-byte request with the same 64 bytes, over TCP and UDP. One thread serves all connections: with
/// a thread for each, the scheduler's choice of cores, and not the way to the server, would be most of what is measured. On the next port
/// it takes whatever is sent, and tells how many bytes that were (8 bytes, little-endian) when the sender has ended.
/// </summary>
internal static class EchoServer
{
    public const int MessageBytes = 64;

    public static int Run(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(512);
        using var datagrams = new Socket(AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp) { DualMode = true };
        datagrams.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        using var sink = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        sink.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        sink.Bind(new IPEndPoint(IPAddress.IPv6Any, port + 1));
        sink.Listen(16);
        var connections = new List<Socket>();
        var streams = new Dictionary<Socket, long>();
        var discarded = new byte[256 * 1024];
        var ready = new List<Socket>();
        while (true)
        {
            ready.Clear();
            ready.Add(listener);
            ready.Add(datagrams);
            ready.Add(sink);
            ready.AddRange(connections);
            ready.AddRange(streams.Keys);
            Socket.Select(ready, null, null, Timeout.InfiniteTimeSpan);
            foreach (var socket in ready)
            {
                if (ReferenceEquals(socket, listener))
                    connections.Add(Accept(listener));
                else if (ReferenceEquals(socket, datagrams))
                    Echo(datagrams);
                else if (ReferenceEquals(socket, sink))
                    streams.Add(sink.Accept(), 0);
                else if (streams.TryGetValue(socket, out var bytes))
                    Take(socket, bytes);
                else if (!Answer(socket))
                    connections.Remove(socket);
            }
        }

        void Take(Socket stream, long before)
        {
            try
            {
                if (stream.Receive(discarded) is > 0 and var got)
                {
                    streams[stream] = before + got;
                    return;
                }
                stream.Send(BitConverter.GetBytes(before));
            }
            catch (SocketException)
            {
                // The sender went away without asking.
            }
            streams.Remove(stream);
            stream.Dispose();
        }
    }

    private static Socket Accept(Socket listener)
    {
        var connection = listener.Accept();
        connection.NoDelay = true;
        return connection;
    }

    private static void Echo(Socket datagrams)
    {
        Span<byte> message = stackalloc byte[MessageBytes];
        var from = new SocketAddress(AddressFamily.InterNetworkV6);
        try
        {
            var got = datagrams.ReceiveFrom(message, SocketFlags.None, from);
            datagrams.SendTo(message[..got], SocketFlags.None, from);
        }
        catch (SocketException)
        {
            // An ICMP error about an earlier answer: that client is gone.
        }
    }

    /// <summary>One exchange. False: the connection is over.</summary>
    private static bool Answer(Socket connection)
    {
        Span<byte> message = stackalloc byte[MessageBytes];
        try
        {
            var got = connection.Receive(message);
            for (var n = got; got < MessageBytes && n > 0; got += n)
                n = connection.Receive(message[got..]);
            if (got == MessageBytes)
            {
                connection.Send(message);
                return true;
            }
        }
        catch (SocketException)
        {
            // The peer went away: nothing to answer.
        }
        connection.Dispose();
        return false;
    }
}
