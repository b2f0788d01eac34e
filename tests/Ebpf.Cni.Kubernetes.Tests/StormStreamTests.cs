using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kubernetes.Connection;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>How often the connection to the API server is read, by an injected clock.</summary>
public sealed class StormStreamTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly Socket _server;
    private readonly StormStream _client;

    public StormStreamTests()
    {
        using var listener = new Socket(SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.IPv6Loopback, 0));
        listener.Listen();
        // room for all that is sent in a pause
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4 * StormStream.Plenty };
        socket.Connect(listener.LocalEndPoint!);
        _server = listener.Accept();
        _server.NoDelay = true;
        _client = new StormStream(socket, _time);
    }

    [Fact]
    public async Task What_comes_now_and_then_is_read_at_once()
    {
        for (var i = 0; i < 20; i++)
        {
            var read = Read();
            Send(1);
            Assert.Equal(1, await InTime(read));
            _time.Advance(StormStream.Closely / 2);
        }
    }

    [Fact]
    public async Task In_a_storm_one_read_serves_all_that_comes_in_a_pause()
    {
        await Storm();
        var read = Read();
        for (var i = 0; i < 5; i++)
            Send(10);
        await Eventually.True(() => _client.Socket.Available == 50, "all has arrived");
        Assert.False(read.IsCompleted);
        _time.Advance(StormStream.LongestPause);
        Assert.Equal(50, await InTime(read));
        // the storm goes on
        read = Read();
        Send(1);
        await Eventually.True(() => _client.Socket.Available == 1, "it has arrived");
        Assert.False(read.IsCompleted);
        _time.Advance(StormStream.LongestPause);
        Assert.Equal(1, await InTime(read));
    }

    [Fact]
    public async Task The_kernel_announces_nothing_in_a_storm_and_every_byte_after_it()
    {
        await Storm();
        Assert.Equal(StormStream.Plenty, Mark());
        var read = Read();
        _time.Advance(StormStream.LongestPause);
        await Eventually.True(() => Mark() == 1, "the storm is over");
        Send(1);
        Assert.Equal(1, await InTime(read));

        int Mark() => (int)_client.Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReceiveLowWater)!;
    }

    [Fact]
    public async Task The_end_of_a_connection_may_be_read_again_and_again()
    {
        _server.Dispose();
        for (var i = 0; i < 10; i++)
            Assert.Equal(0, await InTime(Read()));
    }

    [Fact]
    public async Task A_pause_in_which_nothing_comes_ends_the_storm()
    {
        await Storm();
        var read = Read();
        _time.Advance(StormStream.LongestPause);
        Send(1);
        Assert.Equal(1, await InTime(read));
        read = Read();
        Send(2);
        Assert.Equal(2, await InTime(read));
    }

    [Fact]
    public async Task What_is_there_already_is_read_without_a_pause()
    {
        await Storm();
        Send(50_000);
        await Eventually.True(() => _client.Socket.Available == 50_000, "all has arrived");
        for (var rest = 50_000; rest > 0; rest -= 1_000)
            Assert.Equal(1_000, await InTime(Read(1_000)));
    }

    [Fact]
    public async Task Pauses_are_shorter_where_much_comes_and_long_again_where_little_does()
    {
        await Storm();
        var halved = Enumerable.Range(0, 10).Select(i => StormStream.LongestPause / (1 << i)).TakeWhile(p => p > StormStream.ShortestPause);
        TimeSpan[] pauses = [.. halved, StormStream.ShortestPause, StormStream.ShortestPause];
        foreach (var pause in pauses)
            await Expect(pause, StormStream.Plenty);
        await Expect(StormStream.ShortestPause, StormStream.Few);
        for (var pause = StormStream.ShortestPause; pause < StormStream.LongestPause; pause *= 2)
            await Expect(pause, 1);
        await Expect(StormStream.LongestPause, 1);

        async Task Expect(TimeSpan pause, int bytes)
        {
            var read = Read();
            Send(bytes);
            await Eventually.True(() => _client.Socket.Available == bytes, "all has arrived");
            _time.Advance(pause - TimeSpan.FromMilliseconds(1));
            Assert.False(read.IsCompleted);
            _time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.Equal(bytes, await InTime(read));
        }
    }

    [Fact]
    public async Task A_large_object_is_no_storm()
    {
        Send(StormStream.Plenty);
        await Eventually.True(() => _client.Socket.Available == StormStream.Plenty, "all has arrived");
        for (var rest = StormStream.Plenty; rest > 4096; rest -= 4096)
            Assert.Equal(4096, await InTime(Read(4096)));
        // the rest at once, without a pause
        Assert.Equal(4096, await InTime(Read()));
    }

    [Fact]
    public async Task Large_events_that_follow_closely_begin_with_a_pause_that_brings_a_few()
    {
        for (var i = 0; i <= StormStream.Several; i++)
        {
            Send(StormStream.Few / 4);
            Assert.Equal(StormStream.Few / 4, await InTime(Read()));
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }

        var read = Read();
        Send(StormStream.Few);
        await Eventually.True(() => _client.Socket.Available == StormStream.Few, "all has arrived");
        _time.Advance(TimeSpan.FromMilliseconds(4) - TimeSpan.FromTicks(1));
        Assert.False(read.IsCompleted);
        _time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(StormStream.Few, await InTime(read));
    }

    [Fact]
    public async Task A_read_into_nothing_waits_for_data_and_is_no_read()
    {
        for (var i = 0; i < 20; i++)
        {
            var told = Read(0);
            Send(1);
            Assert.Equal(0, await InTime(told));
            Assert.Equal(1, await InTime(Read()));
            _time.Advance(StormStream.Closely / (StormStream.Several - 1));
        }
    }

    [Fact]
    public async Task A_connection_that_ends_in_a_pause_says_so()
    {
        await Storm();
        var read = Read();
        _server.Dispose();
        _time.Advance(StormStream.LongestPause);
        Assert.Equal(0, await InTime(read));
    }

    [Fact]
    public async Task Connections_to_the_API_server_are_such_streams()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Stream? connection = null;
        var settings = new TransportSettings(ServerTrust.Anything, null, null, new FixedCredentials(null));
        using var handler = ApiTransport.Create(settings, null);
        handler.PlaintextStreamFilter = (context, _) =>
        {
            connection = context.PlaintextStream;
            throw new IOException("that is all that was wanted");
        };
        using var client = new HttpClient(handler);
        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"http://{listener.LocalEndpoint}/")));
        Assert.IsType<StormStream>(connection);
    }

    [Fact]
    public async Task A_read_that_is_cancelled_in_a_pause_ends()
    {
        await Storm();
        using var cancelled = new CancellationTokenSource();
        var waiting = _client.ReadAsync(new byte[1], cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
    }

    private async Task Storm()
    {
        for (var i = 0; i <= StormStream.Several; i++)
        {
            Send(1);
            await InTime(Read());
            _time.Advance(TimeSpan.FromMilliseconds(1));
        }
    }

    private void Send(int bytes) => _server.Send(new byte[bytes]);

    private Task<int> Read(int atMost = 2 * StormStream.Plenty) => _client.ReadAsync(new byte[atMost]).AsTask();

    private static Task<int> InTime(Task<int> read) => read.WaitAsync(TimeSpan.FromSeconds(10));
}
