using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Benchmarks.Strain;

namespace Ebpf.Cni.Benchmarks.Roles;

/// <summary>
/// Echo server outside the cluster: TCP, and UDP at many addresses. Unlike <see cref="EchoServer"/> it scales to 10,000 connections.
/// </summary>
internal static class WorldServer
{
    private const int Backlog = 4096, DatagramBytes = 2048;

    public static async Task<int> RunAsync(int port)
    {
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
        listener.Listen(Backlog);
        foreach (var server in StrainCluster.Servers)
            _ = DatagramsAsync(new IPEndPoint(server, port));
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

    /// <summary>One socket per address, so that answers come from the address that was asked.</summary>
    private static async Task DatagramsAsync(IPEndPoint own)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(own);
        var message = new byte[DatagramBytes];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (true)
        {
            try
            {
                var got = await socket.ReceiveFromAsync(message, SocketFlags.None, from);
                await socket.SendToAsync(message.AsMemory(0, got), SocketFlags.None, from);
            }
            catch (SocketException)
            {
                // An ICMP error about an earlier answer: the client's socket is closed.
            }
        }
    }
}
