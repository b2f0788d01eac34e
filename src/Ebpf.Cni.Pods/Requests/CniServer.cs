using System.Net.Sockets;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// The socket that the plugin calls: one request and one answer a connection. Whatever a peer sends, or does not send, costs one
/// connection, bounded in time and size.
/// </summary>
public sealed partial class CniServer(string path,
    Func<CniRequest, CancellationToken, Task<byte[]>> handle, ICniObserver observer, TimeProvider time, ILogger<CniServer> log)
    : IDisposable
{
    public const int RequestMax = 4 << 20;

    private static readonly TimeSpan PeerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan HandlingLimit = TimeSpan.FromSeconds(45);

    private static readonly TimeSpan AcceptPause = TimeSpan.FromMilliseconds(100);

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <summary>Listens at the path, which only root may use. A predecessor's socket is replaced in one step.</summary>
    public void Open()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // No process can connect before listen, or find it before the rename: it is never open to others.
        var temporary = path + ".new";
        File.Delete(temporary);
        _listener.Bind(new UnixDomainSocketEndPoint(temporary));
        File.SetUnixFileMode(temporary, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        _listener.Listen(128);
        File.Move(temporary, path, overwrite: true);
        Log.Listening(log, path);
    }

    /// <summary>Serves until cancelled, then lets running requests finish.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        var active = new HashSet<Task>();
        try
        {
            while (true)
            {
                var peer = await AcceptAsync(cancel);
                active.RemoveWhere(t => t.IsCompleted);
                active.Add(ServeAsync(peer, cancel));
            }
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(active);
        }
    }

    public void Dispose() => _listener.Dispose();

    /// <summary>The next peer. Being out of descriptors or memory passes; giving up the socket would not.</summary>
    private async Task<Socket> AcceptAsync(CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await _listener.AcceptAsync(cancel);
            }
            catch (SocketException e) when (!cancel.IsCancellationRequested)
            {
                Log.AcceptFailed(log, e.Message);
                await Task.Delay(AcceptPause, cancel);
            }
        }
    }

    private async Task ServeAsync(Socket peer, CancellationToken cancel)
    {
        using (peer)
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
                limit.CancelAfter(PeerLimit);
                var request = await ReadAsync(peer, limit.Token);
                limit.CancelAfter(HandlingLimit);
                var answer = await AnswerAsync(request, limit.Token);
                using var sending = new CancellationTokenSource(PeerLimit);
                await SendAsync(peer, answer, sending.Token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or CniException)
            {
                Log.PeerFailed(log, e.Message);
            }
            catch (Exception e)
            {
                // Whatever it is, it is one request's.
                Log.ServingFailed(log, e);
            }
        }
    }

    private async Task<byte[]> AnswerAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        var (command, started) = ("?", time.GetTimestamp());
        try
        {
            var request = CniRequest.Parse(bytes);
            command = request.Command;
            var answer = await handle(request, cancel);
            observer.Handled(command, 0, time.GetElapsedTime(started));
            return answer;
        }
        catch (Exception e)
        {
            var error = e switch
            {
                CniException known => known,
                OperationCanceledException => new CniException(
                    CniErrorCode.TryAgainLater, "the agent is stopping, or the request timed out", "", e),
                _ => new CniException(CniErrorCode.Internal, $"{command} failed: {e.Message}", "", e),
            };
            observer.Handled(command, error.Code, time.GetElapsedTime(started));
            Log.RequestFailed(log, command, error.Code, error.Message, e is CniException or OperationCanceledException ? null : e);
            return CniAnswer.Error(error);
        }
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Socket peer, CancellationToken cancel)
    {
        var buffer = new byte[8192];
        var length = 0;
        int read;
        while ((read = await peer.ReceiveAsync(buffer.AsMemory(length), cancel)) > 0)
        {
            length += read;
            if (length > RequestMax)
            {
                await SendAsync(peer, CniAnswer.Error(new CniException(CniErrorCode.DecodingFailure, "the request is too long")), cancel);
                throw new CniException(CniErrorCode.DecodingFailure, "a request was too long");
            }

            if (length == buffer.Length)
                Array.Resize(ref buffer, buffer.Length * 2);
        }

        return buffer.AsMemory(0, length);
    }

    private static async Task SendAsync(Socket peer, ReadOnlyMemory<byte> answer, CancellationToken cancel)
    {
        while (answer.Length > 0)
            answer = answer[await peer.SendAsync(answer, cancel)..];
        peer.Shutdown(SocketShutdown.Send);
    }

    private static partial class Log
    {
        [LoggerMessage(3141, LogLevel.Information, "serving CNI requests at {Path}")]
        public static partial void Listening(ILogger log, string path);

        [LoggerMessage(3142, LogLevel.Warning, "CNI {Command} failed with code {Code}: {Message}")]
        public static partial void RequestFailed(ILogger log, string command, int code, string message, Exception? e);

        [LoggerMessage(3143, LogLevel.Debug, "CNI connection closed: {Message}")]
        public static partial void PeerFailed(ILogger log, string message);

        [LoggerMessage(3144, LogLevel.Error, "CNI request failed unexpectedly")]
        public static partial void ServingFailed(ILogger log, Exception e);

        [LoggerMessage(3145, LogLevel.Error, "CNI server: accept failed, retrying: {Cause}")]
        public static partial void AcceptFailed(ILogger log, string cause);
    }
}
