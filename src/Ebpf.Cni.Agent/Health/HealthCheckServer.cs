using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Sync.State;

namespace Ebpf.Cni.Agent.Health;

/// <summary>
/// One health check node port, on all addresses of the node. A socket and a pending accept is all it costs without requests; every
/// connection gets one answer and is closed. A web server for each would cost megabytes, and there may be hundreds.
/// </summary>
internal sealed partial class HealthCheckServer : IDisposable
{
    /// <summary>
    /// A peer that opens connections and sends nothing must not keep the balancers out: see <see cref="ConnectionTable"/>.
    /// </summary>
    private const int PeersMax = 64;

    private const int RequestMax = 8192;
    private static readonly TimeSpan PeerLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly ObjectName _service;
    private readonly SyncStatus _status;
    private readonly ILogger _log;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _stop = new();
    private readonly ConnectionTable _peers = new(PeersMax);
    private int _localEndpoints;

    /// <exception cref="SocketException">The port is in use.</exception>
    public HealthCheckServer(ObjectName service, ushort port, SyncStatus status, ILogger log)
    {
        (_service, _status, _log) = (service, status, log);
        _listener = Listen(port);
        Port = (ushort)((IPEndPoint)_listener.LocalEndPoint!).Port;
        _ = AcceptAsync();
    }

    public ushort Port { get; }

    /// <summary>Ready endpoints on this node.</summary>
    public int LocalEndpoints
    {
        get => Volatile.Read(ref _localEndpoints);
        set => Volatile.Write(ref _localEndpoints, value);
    }

    /// <summary>Running responses end by themselves.</summary>
    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
    }

    private static Socket Listen(ushort port)
    {
        var ipv6 = Socket.OSSupportsIPv6;
        var listener = new Socket(ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            if (ipv6)
                listener.DualMode = true;
            // A restarted agent takes the port over although answers of its predecessor are still in TIME-WAIT: .NET sets SO_REUSEADDR.
            listener.Bind(new IPEndPoint(ipv6 ? IPAddress.IPv6Any : IPAddress.Any, port));
            listener.Listen(PeersMax);
            return listener;
        }
        catch
        {
            listener.Dispose();
            throw;
        }
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptAsync(_stop.Token));
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // Being out of descriptors passes; giving up the port would not. No caller awaits this: any exception must be logged here.
                Log.AcceptFailed(_log, _service.ToString(), e.Message, e is SocketException ? null : e);
                await Task.Delay(AcceptPause, CancellationToken.None);
            }
        }
    }

    private async Task ServeAsync(Socket peer)
    {
        // Not disposed: the peer's place may be taken at any time.
        var limit = new CancellationTokenSource(PeerLimit);
        ConnectionTable.Entry? entry = null;
        try
        {
            entry = _peers.Enter((peer.RemoteEndPoint as IPEndPoint)?.Address, limit.Cancel);
            if (await ReadRequestAsync(peer, limit.Token) is { } headOnly)
            {
                for (ReadOnlyMemory<byte> left = HealthCheckAnswer.Write(
                    _service, LocalEndpoints, _status.Healthy, headOnly); left.Length > 0;)
                    left = left[await peer.SendAsync(left, limit.Token)..];
                peer.Shutdown(SocketShutdown.Send);
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            // A peer that goes away, or takes too long, has its answer.
        }
        catch (Exception e)
        {
            Log.ServingFailed(_log, _service.ToString(), e);
        }
        finally
        {
            entry?.Dispose();
            peer.Dispose();
        }
    }

    /// <summary>
    /// Up to the empty line; what is asked for does not matter, as with kube-proxy. True: only the head is wanted. Null: no request came.
    /// </summary>
    private static async Task<bool?> ReadRequestAsync(Socket peer, CancellationToken cancel)
    {
        var buffer = new byte[RequestMax];
        for (var length = 0; length < buffer.Length;)
        {
            var read = await peer.ReceiveAsync(buffer.AsMemory(length), cancel);
            if (read == 0)
                return null;
            length += read;
            if (buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8) >= 0)
                return buffer.AsSpan(0, length).StartsWith("HEAD "u8);
        }

        return null;
    }

    private static partial class Log
    {
        [LoggerMessage(3503, LogLevel.Error, "health check of Service {Service}: accept failed, retrying: {Cause}")]
        public static partial void AcceptFailed(ILogger log, string service, string cause, Exception? e);

        [LoggerMessage(3504, LogLevel.Error, "health check of Service {Service}: request could not be answered")]
        public static partial void ServingFailed(ILogger log, string service, Exception e);
    }
}
