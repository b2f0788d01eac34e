using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// A question and its answer over sockets of the test's own. Connected sockets hear nothing but the address that was asked.
/// </summary>
internal static class Echo
{
    private const int Patience = 3_000;

    /// <summary>Three times there and back; fails with the programs' counters. Returns the client as the server saw it.</summary>
    public static IPAddress Ask(Socket client, Socket server, IPEndPoint to, PodPrograms programs)
    {
        client.ReceiveTimeout = client.SendTimeout = server.ReceiveTimeout = Patience;
        try
        {
            if (!Connect(client, to))
                Assert.Fail($"{to} does not answer a connection; {programs.Counts()}");
            return client.ProtocolType == ProtocolType.Tcp ? Stream(client, server) : Datagrams(client, server);
        }
        catch (SocketException e)
        {
            Assert.Fail($"{to}: {e.SocketErrorCode}; {programs.Counts()}");
            throw;
        }
    }

    // SendTimeout does not end a connect()
    private static bool Connect(Socket client, IPEndPoint to)
    {
        client.Blocking = false;
        try
        {
            client.Connect(to);
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            if (!client.Poll(TimeSpan.FromMilliseconds(Patience), SelectMode.SelectWrite))
                return false;
            if (client.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error) is int error and not 0)
                throw new SocketException(error);
        }

        client.Blocking = true;
        return true;
    }

    private static IPAddress Stream(Socket client, Socket server)
    {
        // ReceiveTimeout does not end an accept()
        if (!server.Poll(TimeSpan.FromMilliseconds(Patience), SelectMode.SelectRead))
            throw new SocketException((int)SocketError.TimedOut);
        using var accepted = server.Accept();
        Transfers.BothWays(client, accepted, 256 * 1024);
        return ((IPEndPoint)accepted.RemoteEndPoint!).Address;
    }

    private static IPAddress Datagrams(Socket client, Socket server)
    {
        EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        var heard = new byte[2000];
        for (var i = 0; i < 3; i++)
        {
            var said = new byte[1200];
            Random.Shared.NextBytes(said);
            client.Send(said);
            Assert.Equal(said.Length, server.ReceiveFrom(heard, ref from));
            server.SendTo(heard, said.Length, SocketFlags.None, from);
            Assert.Equal(said.Length, client.Receive(heard));
            Assert.Equal(said, heard[..said.Length]);
        }

        return ((IPEndPoint)from).Address;
    }
}
