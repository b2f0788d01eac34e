using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>
/// The least that an agent takes for a Kubernetes API: fixed lists, watches that stay silent, events taken. Listens inside a namespace.
/// </summary>
internal sealed class SmallApi : IDisposable
{
    private readonly TcpListener _listener;
    private readonly Dictionary<string, string> _lists;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<TcpClient> _peers = [];

    /// <param name="at">Where it listens.</param>
    /// <param name="lists">The items of each path's list, as JSON text.</param>
    public SmallApi(NetworkNamespace at, Dictionary<string, string> lists)
    {
        _lists = lists;
        _listener = at.Run(() =>
        {
            var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            return listener;
        });
        _ = AcceptAsync();
    }

    /// <summary>Bodies of requests: the events that were posted.</summary>
    public System.Collections.Concurrent.ConcurrentQueue<string> Posts { get; } = [];

    public string Kubeconfig => string.Create(CultureInfo.InvariantCulture, $$$"""
        apiVersion: v1
        kind: Config
        current-context: c
        contexts: [{name: c, context: {cluster: k}}]
        clusters: [{name: k, cluster: {server: "http://127.0.0.1:{{{((IPEndPoint)_listener.LocalEndpoint).Port}}}"}}]

        """);

    public void Dispose()
    {
        _stop.Cancel();
        _listener.Dispose();
        lock (_peers)
            _peers.ForEach(p => p.Dispose());
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var peer = await _listener.AcceptTcpClientAsync(_stop.Token);
                lock (_peers)
                    _peers.Add(peer);
                _ = ServeAsync(peer);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    private async Task ServeAsync(TcpClient peer)
    {
        try
        {
            using var reader = new StreamReader(peer.GetStream(), Encoding.ASCII, false, 4096, leaveOpen: true);
            while (await reader.ReadLineAsync() is { } requestLine)
            {
                var length = 0;
                while (await reader.ReadLineAsync() is { Length: > 0 } header)
                    if (header.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                        length = int.Parse(header.AsSpan(15), CultureInfo.InvariantCulture);
                if (length > 0)
                {
                    var body = new char[length];
                    await reader.ReadBlockAsync(body);
                    Posts.Enqueue(new string(body));
                }

                await peer.GetStream().WriteAsync(Encoding.UTF8.GetBytes(Answer(requestLine.Split(' ')[1])));
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
        }
    }

    private string Answer(string target)
    {
        var path = target.Split('?')[0].Trim('/');
        if (target.Contains("watch=", StringComparison.Ordinal))
            return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
        var resource = path.Split('/')[^1];
        var (kind, version) = resource switch
        {
            "services" => ("ServiceList", "v1"),
            "endpointslices" => ("EndpointSliceList", "discovery.k8s.io/v1"),
            _ => ("NodeList", "v1"),
        };
        var items = _lists.GetValueOrDefault(resource, "");
        var body = $$$"""{"kind":"{{{kind}}}","apiVersion":"{{{version}}}","metadata":{"resourceVersion":"1"},"items":[{{{items}}}]}""";
        return $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";
    }
}
