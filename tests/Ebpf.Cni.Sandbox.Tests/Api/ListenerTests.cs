using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Sandbox.Api;

namespace Ebpf.Cni.Sandbox.Tests.Api;

/// <summary>Sockets that a server is given besides its own.</summary>
public sealed class ListenerTests
{
    [Fact]
    public async Task A_socket_that_was_handed_over_is_served_and_ends_with_the_server()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var end = (IPEndPoint)socket.LocalEndPoint!;
        await using (await ApiServer.StartAsync(new ApiServerOptions { ExtraListeners = [socket] }))
        {
            using var http = new HttpClient();
            Assert.Contains("v1", await http.GetStringAsync(new Uri($"http://{end}/api")), StringComparison.Ordinal);
        }

        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Equal(SocketError.ConnectionRefused,
            (await Assert.ThrowsAsync<SocketException>(async () => await late.ConnectAsync(end))).SocketErrorCode);
    }
}
