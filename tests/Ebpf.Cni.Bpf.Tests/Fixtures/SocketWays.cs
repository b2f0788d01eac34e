using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>The client's family, and the service it asks for: IPv4, IPv6, and IPv4 by an IPv6 socket.</summary>
public static class SocketWays
{
    public const string Vip4 = "10.96.0.1:80", Vip6 = "[fd00:96::1]:80";

    public static TheoryData<AddressFamily, string> All => new()
    {
        { AddressFamily.InterNetwork, Vip4 }, { AddressFamily.InterNetworkV6, Vip6 }, { AddressFamily.InterNetworkV6, Vip4 },
    };

    /// <summary>As the client writes the service's address.</summary>
    public static IPEndPoint Asked(AddressFamily client, string service)
    {
        var at = IPEndPoint.Parse(service);
        return client == AddressFamily.InterNetworkV6 && at.AddressFamily == AddressFamily.InterNetwork
            ? new IPEndPoint(at.Address.MapToIPv6(), at.Port)
            : at;
    }

    /// <summary>Servers in the calling thread's namespace.</summary>
    internal static Socket[] Servers(string service, ProtocolType protocol, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => SocketSandbox.Server(IPEndPoint.Parse(service).AddressFamily, protocol))];

    internal static IPEndPoint[] At(IEnumerable<Socket> servers) => [.. servers.Select(s => (IPEndPoint)s.LocalEndPoint!)];

    /// <summary>What a server's backend is called in the tables.</summary>
    internal static (Addr Addr, U16Be Port) Backend(Socket server)
    {
        var at = (IPEndPoint)server.LocalEndPoint!;
        return (Addr.From(at.Address), U16Be.FromHost((ushort)at.Port));
    }

    /// <summary>The error that connecting fails with; Success if it does not.</summary>
    internal static SocketError Connect(AddressFamily family, ProtocolType protocol, string service)
    {
        using var client = SocketSandbox.New(family, protocol);
        return Error(() => client.Connect(Asked(family, service)));
    }

    internal static SocketError Error(Action call)
    {
        try
        {
            call();
            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    /// <summary>Connects a socket that was connected, or failed to: .NET has one attempt for each of its objects.</summary>
    internal static SocketError ConnectAgain(Socket socket, IPEndPoint to)
    {
        using var same = new Socket(new SafeSocketHandle(socket.Handle, ownsHandle: false));
        return Error(() => same.Connect(to));
    }

    /// <summary>As the kernel has it: .NET believes a socket disconnected after some errors.</summary>
    internal static EndPoint? Peer(Socket socket)
    {
        using var same = new Socket(new SafeSocketHandle(socket.Handle, ownsHandle: false));
        return same.RemoteEndPoint;
    }

    /// <summary>
    /// Gives the calling thread's namespace an address. The kernel makes IPv6's way there a moment later, and until then the prefix's route
    /// takes packets and loses them: what is sent has to arrive.
    /// </summary>
    internal static void Have(IPAddress address)
    {
        using var netlink = RouteNetlink.Open();
        netlink.AddAddress(1, address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
        Assert.True(SpinWait.SpinUntil(Arrives, TimeSpan.FromSeconds(10)), $"no way to {address}");

        bool Arrives()
        {
            using var probe = SocketSandbox.New(address.AddressFamily, ProtocolType.Udp);
            return Error(() =>
            {
                probe.Bind(new IPEndPoint(address, 0));
                probe.SendTo(new byte[1], probe.LocalEndPoint!);
            }) == SocketError.Success && probe.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead);
        }
    }

    /// <summary>Sends one datagram, answers it, checks who the answer is from; returns which server got it.</summary>
    internal static int Exchange(Socket client, IPEndPoint service, Socket[] servers) =>
        Exchange(client, () => client.SendTo("ping"u8.ToArray(), service), service, servers);

    /// <summary>The same with send().</summary>
    internal static int ExchangeConnected(Socket client, IPEndPoint service, Socket[] servers) =>
        Exchange(client, () => client.Send("ping"u8.ToArray()), service, servers);

    private static int Exchange(Socket client, Action send, IPEndPoint service, Socket[] servers)
    {
        send();
        var ready = new List<Socket>(servers);
        Socket.Select(ready, null, null, TimeSpan.FromSeconds(10));
        var server = Assert.Single(ready);
        var bytes = new byte[8];
        EndPoint from = Any(server.AddressFamily);
        server.ReceiveFrom(bytes, ref from);
        server.SendTo(bytes, 4, SocketFlags.None, from);
        from = Any(client.AddressFamily);
        Assert.Equal(4, client.ReceiveFrom(bytes, ref from));
        Assert.Equal(service, from);
        return Array.IndexOf(servers, server);
    }

    internal static IPEndPoint Any(AddressFamily family) =>
        new(family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
}
