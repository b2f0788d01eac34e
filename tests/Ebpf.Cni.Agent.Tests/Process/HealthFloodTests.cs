using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Process;

/// <summary>
/// A pod that holds or hammers the health port, and a kubelet that asks whether the agent lives: an unanswered one would have it restarted.
/// </summary>
public sealed class HealthFloodTests : IAsyncLifetime
{
    private const string NodeAddress = "192.168.7.1";

    private const string Node =
        """{"metadata":{"name":"n1","uid":"u4","resourceVersion":"1"},"spec":"""
        + """{"podCIDR":"10.201.0.0/24","podCIDRs":["10.201.0.0/24"]},"status":"""
        + """{"addresses":[{"type":"InternalIP","address":"192.168.7.1"}]}}""";

    private static readonly byte[] Question = Encoding.ASCII.GetBytes($"GET /livez HTTP/1.1\r\nHost: {NodeAddress}\r\n\r\n");

    private readonly List<TcpClient> _held = [];
    private AgentProcess _agent = null!;
    private SmallApi _api = null!;
    private NetworkNamespace _pod = null!;

    public async ValueTask InitializeAsync()
    {
        Requires.Root();
        _agent = new AgentProcess();
        _agent.Namespace.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddAddress(1, IPAddress.Parse(NodeAddress), 32);
        });
        _api = new SmallApi(_agent.Namespace, new() { ["nodes"] = Node });
        _pod = NetworkNamespace.Create(_agent["pod"]);
        _agent.Start(_api.Kubeconfig, "--healthz-address", "0.0.0.0:10256");
        await _agent.Ready();
        Assert.Contains("\"result\"", _agent.Cni("ADD"), StringComparison.Ordinal);
    }

    public ValueTask DisposeAsync()
    {
        _held.ForEach(h => h.Dispose());
        _api?.Dispose();
        if (_pod is not null)
        {
            _pod.Dispose();
            NetworkNamespace.Remove(_agent["pod"]);
        }

        _agent?.Dispose();
        return ValueTask.CompletedTask;
    }

    [Theory]
    [InlineData(true)] // asked once, and kept
    [InlineData(false)] // never says a word
    public void Connections_that_a_pod_keeps_lock_no_probe_out(bool asks)
    {
        for (var i = 0; i < 600; i++)
            _held.Add(Connect(asks));
        Assert.All(Enumerable.Range(0, 35), _ => Assert.Equal(200, _agent.Get(10256, "/livez").Status));
        // The control: the pod holds all that one port gives, and its own oldest went.
        Assert.True(Closed(_held[0]), "the oldest was evicted");
        Assert.InRange(_held.Count(h => !Closed(h)), 200, 256);
        Assert.Equal(200, _agent.Get(10249, "/metrics").Status);
    }

    [Fact]
    public async Task A_pod_that_opens_them_without_a_pause_locks_no_probe_out()
    {
        using var stop = new CancellationTokenSource();
        var opened = 0;
        var flood = Task.Factory.StartNew(
            () =>
            {
                var open = new Queue<TcpClient>();
                while (!stop.IsCancellationRequested)
                {
                    open.Enqueue(Connect(asks: false));
                    Interlocked.Increment(ref opened);
                    if (open.Count > 400)
                        open.Dequeue().Dispose();
                }

                foreach (var left in open)
                    left.Dispose();
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await Eventually.True(() => Volatile.Read(ref opened) > 300, "more are open than may be");
        for (var i = 0; i < 35; i++)
            Assert.Equal(200, _agent.Get(10256, "/livez").Status);
        await stop.CancelAsync();
        await flood;
    }

    private TcpClient Connect(bool asks) => _pod.Run(() =>
    {
        var client = new TcpClient(NodeAddress, 10256) { ReceiveTimeout = 10_000 };
        if (!asks)
            return client;
        client.GetStream().Write(Question);
        var (text, buffer) = (new StringBuilder(), new byte[4096]);
        while (!text.ToString().Contains("0\r\n\r\n", StringComparison.Ordinal))
        {
            var read = client.GetStream().Read(buffer);
            Assert.NotEqual(0, read);
            text.Append(Encoding.ASCII.GetString(buffer, 0, read));
        }

        Assert.StartsWith("HTTP/1.1 200", text.ToString(), StringComparison.Ordinal);
        return client;
    });

    /// <summary>The other side has ended it.</summary>
    private static bool Closed(TcpClient client)
    {
        try
        {
            return client.Client.Poll(0, SelectMode.SelectRead) && client.Client.Receive(new byte[1], SocketFlags.Peek) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
