using System.Net;
using System.Net.Sockets;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// The HTTP transport: three watches share one HTTP/2 connection where TLS lets the server choose it. Dead peers (half-open TCP after a
/// node or load balancer vanished) are found by HTTP/2 pings or TCP keep-alive in well under a minute; the reader's silence limit is the
/// last resort.
/// </summary>
internal static class ApiTransport
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(10);

    /// <summary>Bytes of a watch that a server may have under way: more than a pause of <see cref="StormStream"/> brings.</summary>
    private const int StreamWindow = 1 << 20;

    /// <param name="settings">TLS on both sides; the credentials are not the transport's.</param>
    /// <param name="proxy">The proxy; null: none, whatever the environment says.</param>
    public static SocketsHttpHandler Create(TransportSettings settings, IWebProxy? proxy)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = ConnectLimit,
            ConnectCallback = ConnectAsync,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = proxy is not null,
            Proxy = proxy,
            InitialHttp2StreamWindowSize = StreamWindow,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            KeepAlivePingDelay = TimeSpan.FromSeconds(30),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            ActivityHeadersPropagator = null,
        };
        settings.Trust.ApplyTo(handler.SslOptions);
        // A resumed session would carry on with the certificates of its first handshake, which may have been replaced since.
        handler.SslOptions.AllowTlsResume = false;
        if (!string.IsNullOrEmpty(settings.TlsServerName))
            handler.SslOptions.TargetHost = settings.TlsServerName;
        if (settings.ClientCertificate is not null)
            handler.SslOptions.ClientCertificates = [settings.ClientCertificate];
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
            return new StormStream(socket, TimeProvider.System);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
