using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Sockets;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Sockets;

public sealed class SocketDiagnosticsTests : PrivilegedTest
{
    private readonly NetworkNamespace _namespace;
    private readonly SocketDiagnostics _diagnostics;

    public SocketDiagnosticsTests()
    {
        _namespace = Own(NetworkNamespace.CreateAnonymous());
        _diagnostics = Own(SocketDiagnostics.Open(_namespace));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("::1", "::1")]
    [InlineData("::ffff:127.0.0.1", "::ffff:127.0.0.1")] // an IPv6 socket that talks IPv4
    public void A_connected_socket_is_found_with_its_addresses_and_cookie(string address, string seen)
    {
        var socket = Connected(address, 5353);
        var found = Assert.Single(_diagnostics.List(SocketProtocol.Udp, SocketState.Established));
        Assert.Equal((IPAddress.Parse(seen), 5353), (found.Remote.Address, found.Remote.Port));
        Assert.Equal(((IPEndPoint)socket.LocalEndPoint!).Port, found.Local.Port);
        Assert.Equal(CookieOf(socket), found.Cookie);
        Assert.NotEqual(0u, found.Inode);
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("::ffff:127.0.0.1")]
    public async Task A_destroyed_socket_tells_who_waits_on_it_and_its_neighbour_lives(string address)
    {
        var doomed = Connected(address, 5353);
        var neighbour = Connected(address, 5353);
        var waiting = doomed.ReceiveAsync(new byte[16]);
        var found = _diagnostics.List(SocketProtocol.Udp, SocketState.Established).Single(s => s.Cookie == CookieOf(doomed));
        Assert.True(_diagnostics.Destroy(found));
        Assert.False(_diagnostics.Destroy(found));
        var error = await Assert.ThrowsAsync<SocketException>(async () => await waiting);
        Assert.Equal(SocketError.ConnectionAborted, error.SocketErrorCode);
        Assert.Equal(CookieOf(neighbour), Assert.Single(_diagnostics.List(SocketProtocol.Udp, SocketState.Established)).Cookie);
        Assert.Equal(0, neighbour.Available);
    }

    [Fact]
    public void Listeners_are_found_by_port_and_others_are_not()
    {
        var tcp = Bound(SocketType.Stream, ProtocolType.Tcp, IPAddress.Any);
        tcp.Listen();
        var udp = Bound(SocketType.Dgram, ProtocolType.Udp, IPAddress.IPv6Any);
        var idle = Bound(SocketType.Stream, ProtocolType.Tcp, IPAddress.Any); // bound, and does not listen
        Connected("127.0.0.1", 5353);
        var ports = new[] { tcp, udp, idle }.Select(s => (ushort)((IPEndPoint)s.LocalEndPoint!).Port).ToHashSet();
        var found = _diagnostics.Listeners(ports);
        Assert.Equal([CookieOf(tcp), CookieOf(udp)], found.Select(s => s.Cookie));
        Assert.Equal([SocketState.Listen, SocketState.Close], found.Select(s => s.State));
        Assert.Empty(_diagnostics.Listeners(new HashSet<ushort> { 1 }));
    }

    [Fact]
    public void Only_the_namespaces_own_sockets_are_seen()
    {
        using var other = NetworkNamespace.CreateAnonymous();
        using var elsewhere = SocketDiagnostics.Open(other);
        Connected("127.0.0.1", 5353);
        Assert.Empty(elsewhere.List(SocketProtocol.Udp));
        Assert.Single(_diagnostics.List(SocketProtocol.Udp));
    }

    [Fact]
    public void What_can_be_destroyed_is_found_out_without_destroying_anything()
    {
        var socket = Connected("127.0.0.1", 5353);
        Assert.True(_diagnostics.CanDestroyUdp());
        Assert.Equal(CookieOf(socket), Assert.Single(_diagnostics.List(SocketProtocol.Udp)).Cookie);
    }

    private Socket Connected(string address, int port) => Own(_namespace.Run(() =>
    {
        var remote = IPAddress.Parse(address);
        var socket = new Socket(remote.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        if (remote.IsIPv4MappedToIPv6)
            socket.DualMode = true;
        socket.Connect(remote, port);
        return socket;
    }));

    private Socket Bound(SocketType type, ProtocolType protocol, IPAddress address) => Own(_namespace.Run(() =>
    {
        var socket = new Socket(address.AddressFamily, type, protocol);
        socket.Bind(new IPEndPoint(address, 0));
        return socket;
    }));

    private static ulong CookieOf(Socket socket)
    {
        const int socketLevel = 1, cookie = 57;
        var value = new byte[sizeof(ulong)];
        socket.GetRawSocketOption(socketLevel, cookie, value);
        return BitConverter.ToUInt64(value);
    }
}
