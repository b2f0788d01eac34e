using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>Echoes over TCP and UDP, for many thousand connections: unlike <see cref="EchoServer"/> it does not look at all of them for each message.</summary>
internal static class WorldServer
{
    private const int Backlog = 4096, DatagramBytes = 2048, DatagramBuffer = 8 << 20;

    public static async Task<int> RunAsync(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(Backlog);
        new Thread(() => Datagrams(port)) { IsBackground = true }.Start();
        while (true)
            _ = EchoAsync(await listener.AcceptAsync());
    }

    private static async Task EchoAsync(Socket connection)
    {
        using (connection)
        {
            var message = new byte[EchoServer.MessageBytes];
            try
            {
                while (await connection.ReceiveAsync(message) is > 0 and var got)
                    await connection.SendAsync(message.AsMemory(0, got));
            }
            catch (SocketException)
            {
                // The client went away.
            }
        }
    }

    private static void Datagrams(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = DatagramBuffer };
        // the world's addresses are not the device's: what is asked answers, where a packet's own address would be lost
        socket.Bind(new IPEndPoint(Strain.StrainCluster.World.Address, port));
        var message = new byte[DatagramBytes];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            try
            {
                var got = socket.ReceiveFrom(message, SocketFlags.None, from);
                socket.SendTo(message.AsSpan(0, got), SocketFlags.None, from);
            }
            catch (SocketException)
            {
                // An ICMP error about an earlier answer: that client's socket is closed.
            }
        }
    }
}
