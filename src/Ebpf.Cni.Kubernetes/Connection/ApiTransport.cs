using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// The HTTP transport: three watches share one HTTP/2 connection where TLS lets the server choose it. Dead peers (half-open TCP after a node
/// or load balancer vanished) are found by HTTP/2 pings or TCP keep-alive in well under a minute; the reader's silence limit is the last resort.
/// </summary>
internal static class ApiTransport
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    public static SocketsHttpHandler Create(ServerTrust trust, string? tlsServerName, X509Certificate2? clientCertificate)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectLimit,
            ConnectCallback = ConnectAsync,
            AllowAutoRedirect = false,
            UseCookies = false,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ActivityHeadersPropagator = null,
        };
        trust.ApplyTo(handler.SslOptions);
        if (!string.IsNullOrEmpty(tlsServerName))
            handler.SslOptions.TargetHost = tlsServerName;
        if (clientCertificate is not null)
            handler.SslOptions.ClientCertificates = [clientCertificate];
        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken ct)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 20);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
            await socket.ConnectAsync(context.DnsEndPoint, ct).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
