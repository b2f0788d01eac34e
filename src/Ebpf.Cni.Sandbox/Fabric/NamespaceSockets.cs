using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Sandbox.Fabric;

/// <summary>A socket belongs to the namespace of the thread that made it; used from anywhere, it stays there.</summary>
internal static class NamespaceSockets
{
    /// <summary>A bound TCP socket on the namespace's own loopback, to be served by a server outside.</summary>
    public static Socket BindLoopback(NetworkNamespace where, int port) => where.Run(() =>
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    });

    public static async Task<Socket> ConnectAsync(NetworkNamespace from, IPEndPoint target, CancellationToken ct)
    {
        var socket = from.Run(() => new Socket(target.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true });
        try
        {
            await socket.ConnectAsync(target, ct);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>HTTP as it is spoken inside the namespace. Hosts are addresses: there is no resolver there.</summary>
    public static HttpClient CreateHttpClient(NetworkNamespace from, TimeSpan? timeout = null)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            PooledConnectionLifetime = TimeSpan.Zero, // a probe must see whether the server accepts, not whether it once did
            ConnectCallback = async (context, ct) =>
            {
                var target = new IPEndPoint(IPAddress.Parse(context.DnsEndPoint.Host.Trim('[', ']')), context.DnsEndPoint.Port);
                return new NetworkStream(await ConnectAsync(from, target, ct), ownsSocket: true);
            },
        };
        return new HttpClient(handler) { Timeout = timeout ?? TimeSpan.FromSeconds(5) };
    }
}
