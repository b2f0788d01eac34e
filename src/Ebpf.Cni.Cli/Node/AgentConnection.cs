using System.Net.Sockets;
using System.Text.Json;
using Ebpf.Cni.Protocol.Observe;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Node;

/// <summary>HTTP over the agent's unix socket. What goes wrong becomes a sentence that says what to do.</summary>
internal sealed class AgentConnection : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly string _path;
    private readonly HttpClient _http;

    public AgentConnection(string runDirectory)
    {
        _path = Path.Combine(runDirectory, ObservePaths.SocketName);
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false, AllowAutoRedirect = false, UseCookies = false, ConnectCallback = (_, cancel) => ConnectAsync(cancel),
        })
        {
            BaseAddress = new Uri("http://agent/"),
            Timeout = Limit,
        };
    }

    /// <returns>The body of a good answer.</returns>
    /// <exception cref="CliException">There is none.</exception>
    public async Task<string> GetAsync(string path, CancellationToken cancel)
    {
        try
        {
            using var response = await _http.GetAsync(new Uri(path, UriKind.Relative), cancel).ConfigureAwait(false);
            var body = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
            return response.IsSuccessStatusCode ? body
                : throw CliException.Failed(ErrorIn(body) ?? $"the agent answered {(int)response.StatusCode}");
        }
        catch (HttpRequestException e) when (e.InnerException is CliException known)
        {
            throw known;
        }
        catch (HttpRequestException)
        {
            throw CliException.Failed($"the connection to the agent at {_path} broke");
        }
        catch (TaskCanceledException) when (!cancel.IsCancellationRequested)
        {
            throw CliException.Failed($"the agent at {_path} did not answer within {Limit.TotalSeconds:0} s");
        }
    }

    public void Dispose() => _http.Dispose();

    private async ValueTask<Stream> ConnectAsync(CancellationToken cancel)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_path), cancel).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket.Dispose();
            throw CliException.Failed(Unreachable(e));
        }
    }

    private string Unreachable(Exception e) => e is not SocketException socket ? $"{_path} is too long for a socket's path"
        : socket.SocketErrorCode == SocketError.AccessDenied ? $"{_path}: permission denied; only root may ask the agent"
        : socket.SocketErrorCode == SocketError.ConnectionRefused ? $"no process listens at {_path}: the agent is not running"
        : IsHidden() ? $"{_path} not visible: only root may ask the agent"
        : $"there is no socket {_path}: the agent is not running, or has another --run-dir";

    /// <summary>The directory is there and is not ours to look into.</summary>
    private bool IsHidden()
    {
        try
        {
            return Path.GetDirectoryName(_path) is { } directory && Directory.Exists(directory)
                && !Directory.EnumerateFileSystemEntries(directory).Any() && !Environment.IsPrivilegedProcess;
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            return true;
        }
    }

    private static string? ErrorIn(string body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, ObserveJson.Wire.ErrorAnswer)?.Error is { Length: > 0 } error ? error : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
