using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Real connections through the tables while these are replaced: the node's own, which tc translates in both directions.</summary>
public sealed class ResizeTrafficTests : NodeTest
{
    private const string Backend = "198.51.100.99";
    private const int Lasting = 4, Short = 4, Resizes = 4;
    private readonly ConcurrentQueue<string> _failures = new();
    private volatile bool _over;
    private int _exchanges, _short;

    [Fact]
    public void No_connection_is_lost_that_exists_before_while_or_after_tables_change_their_size() => OnNode(netlink =>
    {
        using var outside = NetworkNamespace.CreateAnonymous();
        var device = Outside(netlink, outside);
        Sysctl.Write("net.ipv4.ip_forward", "1");
        var options = Ground.Options with { SocketLb = SocketLbMode.Off, ConntrackTcpMax = 65536 };
        using var listener = outside.Run(() => Listen());
        var threads = new List<Thread> { Start(() => Serve(listener)) };
        using (var dataplane = NodeDataplane.Open(options))
        {
            Assert.Empty(dataplane.Uplinks.Apply([device], device.V4, null).Errors);
            Assert.True(dataplane.Services.Apply(DesiredStates.Single("web", 1, "10.96.0.1", Backend)).Complete);
        }
        for (var i = 0; i < Lasting; i++)
            threads.Add(Start(() => Last()));
        for (var i = 0; i < Short; i++)
            threads.Add(Start(() => ComeAndGo()));
        Eventually.True(() => _exchanges > 20 * Lasting && _short > 20 * Short, "connections at work").GetAwaiter().GetResult();
        for (var resize = 1; resize <= Resizes; resize++)
        {
            var (exchanges, shorts) = (_exchanges, _short);
            using (var dataplane = NodeDataplane.Open(options with { ConntrackTcpMax = resize % 2 == 0 ? 65536u : 131072u }))
                Assert.Empty(dataplane.Notices);
            Eventually.True(() => (_exchanges > exchanges + (20 * Lasting) && _short > shorts + (20 * Short)) || !_failures.IsEmpty,
                "connections at work").GetAwaiter().GetResult();
        }
        _over = true;
        listener.Stop();
        threads.ForEach(t => t.Join());
        Console.WriteLine($"figure: {_exchanges} exchanges over {Lasting} lasting connections, {_short} short ones, {Resizes} changes of "
            + $"size");
        Assert.Empty(_failures);
    });

    private static TcpListener Listen()
    {
        var listener = new TcpListener(IPAddress.Parse(Backend), 8080);
        listener.Start();
        return listener;
    }

    /// <summary>A thread of the calling thread's network namespace.</summary>
    private Thread Start(Action work)
    {
        var thread = new Thread(() =>
        {
            try
            {
                work();
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                if (!_over)
                    _failures.Enqueue(e.Message);
            }
        })
        { IsBackground = true };
        thread.Start();
        return thread;
    }

    /// <summary>Gives back each byte.</summary>
    private void Serve(TcpListener listener)
    {
        while (!_over)
        {
            var accepted = listener.AcceptSocket();
            accepted.NoDelay = true;
            Start(() =>
            {
                using (accepted)
                {
                    var buffer = new byte[1];
                    while (accepted.Receive(buffer) == 1)
                        accepted.Send(buffer);
                }
            });
        }
    }

    private void Last()
    {
        using var socket = Connect();
        while (!_over)
        {
            Exchange(socket);
            Interlocked.Increment(ref _exchanges);
        }
    }

    private void ComeAndGo()
    {
        while (!_over)
        {
            using var socket = Connect();
            for (var i = 0; i < 3; i++)
                Exchange(socket);
            Interlocked.Increment(ref _short);
        }
    }

    private static Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp)
            { NoDelay = true, ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        socket.Connect(IPAddress.Parse("10.96.0.1"), 80);
        return socket;
    }

    private static void Exchange(Socket socket)
    {
        var buffer = new byte[] { 42 };
        socket.Send(buffer);
        if (socket.Receive(buffer) != 1)
            throw new IOException("the connection was closed");
    }
}
