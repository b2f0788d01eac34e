using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Ebpf.Cni.Pods.Requests;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Requests;

/// <summary>The socket: garbage, silence, floods and strangers.</summary>
public sealed class ServerTests : IAsyncLifetime
{
    private const string Good =
        """{"command":"DEL","containerId":"c1","netns":"","ifname":"eth0","args":"","path":"","config":{"cniVersion":"1.0.0","name":"n"}}""";

    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _stop = new();
    private CniServer _server = null!;
    private Task _running = Task.CompletedTask;
    private Func<CniRequest, Task<byte[]>> _handle = _ => Task.FromResult(CniAnswer.Empty);

    private string SocketPath => _directory["cni.sock"];

    public ValueTask InitializeAsync()
    {
        (_server, _running) = Start();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _server.Dispose();
        _stop.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public void Only_its_owner_may_use_the_socket() =>
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(SocketPath));

    [Fact]
    public async Task A_request_gets_its_answer() => Assert.Equal("{}", await Ask(Good));

    [Theory]
    [InlineData("", CniErrorCode.DecodingFailure)]
    [InlineData("garbage", CniErrorCode.DecodingFailure)]
    [InlineData("[]", CniErrorCode.DecodingFailure)]
    [InlineData("{}", CniErrorCode.InvalidEnvironment)]
    [InlineData("{\"command\":7}", CniErrorCode.DecodingFailure)]
    [InlineData("{\"command\":\"VERSION\"}", CniErrorCode.InvalidEnvironment)]
    [InlineData("{\"command\":\"ADD\"}", CniErrorCode.InvalidNetworkConfig)]
    [InlineData("{\"command\":\"ADD\",\"config\":{\"cniVersion\":\"9\"}}", CniErrorCode.IncompatibleVersion)]
    [InlineData("{\"command\":\"ADD\",\"config\":{\"cniVersion\":\"1.0.0\"},\"containerId\":\"../..\"}", CniErrorCode.InvalidEnvironment)]
    [InlineData(
        "{\"command\":\"ADD\",\"config\":{\"cniVersion\":\"1.0.0\",\"prevResult\":[]},"
            + "\"containerId\":\"c\",\"ifname\":\"e\",\"netns\":\"/n\"}",
        CniErrorCode.InvalidNetworkConfig)]
    [InlineData(
        "{\"command\":\"ADD\",\"config\":{\"cniVersion\":\"1.0.0\"},\"containerId\":\"c\",\"ifname\":\"e\",\"netns\":\"\\ud800\"}",
        CniErrorCode.DecodingFailure)]
    public async Task Garbage_gets_an_error(string request, int code) => Assert.Equal(code, CodeOf(await Ask(request)));

    [Fact]
    public async Task Random_damage_never_stops_it()
    {
        var random = new Random(Seed.Next());
        var good = Encoding.UTF8.GetBytes(Good);
        for (var i = 0; i < 500; i++)
        {
            var bytes = good[..random.Next(good.Length + 1)];
            for (var n = random.Next(4); n > 0 && bytes.Length > 0; n--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            using var answer = JsonDocument.Parse(await Ask(bytes));
            Assert.Equal(JsonValueKind.Object, answer.RootElement.ValueKind);
        }

        Assert.Equal("{}", await Ask(Good));
    }

    [Fact]
    public async Task A_flood_is_cut_off()
    {
        using var socket = await Connect();
        var chunk = Encoding.UTF8.GetBytes(new string(' ', 1 << 16));
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            for (var sent = 0L; sent < 10L * CniServer.RequestMax; sent += chunk.Length)
                await socket.SendAsync(chunk);
        });
        Assert.Equal("{}", await Ask(Good));
    }

    [Fact]
    public async Task Peers_that_go_away_harm_nobody()
    {
        for (var i = 0; i < 50; i++)
            (await Connect()).Dispose();
        using var silent = await Connect();
        Assert.Equal("{}", await Ask(Good));
    }

    [Fact]
    public async Task What_the_handler_throws_becomes_an_error()
    {
        _handle = _ => throw new CniException(CniErrorCode.AddressesExhausted, "none left");
        Assert.Equal(CniErrorCode.AddressesExhausted, CodeOf(await Ask(Good)));
        _handle = _ => throw new InvalidOperationException("a bug");
        Assert.Equal(CniErrorCode.Internal, CodeOf(await Ask(Good)));
    }

    [Fact]
    public async Task A_successor_takes_the_path_over()
    {
        var (successor, running) = Start();
        Assert.Equal("{}", await Ask(Good));
        await _stop.CancelAsync();
        await running;
        successor.Dispose();
    }

    [Fact]
    public async Task Stopping_waits_for_what_is_under_way()
    {
        var release = new TaskCompletionSource();
        var entered = new TaskCompletionSource();
        _handle = async _ =>
        {
            entered.SetResult();
            await release.Task;
            return CniAnswer.Empty;
        };
        var asked = Ask(Good);
        await entered.Task;
        await _stop.CancelAsync();
        Assert.False(_running.IsCompleted);
        release.SetResult();
        Assert.Equal("{}", await asked);
        await _running;
    }

    private static int CodeOf(string answer) => JsonDocument.Parse(answer).RootElement.GetProperty("error").GetProperty("code").GetInt32();

    private (CniServer, Task) Start()
    {
        var server = new CniServer(
            SocketPath, (request, _) => _handle(request), new NoObserver(), TimeProvider.System,
            NullLogger<CniServer>.Instance);
        server.Open();
        return (server, server.RunAsync(_stop.Token));
    }

    private async Task<Socket> Connect()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
        return socket;
    }

    private Task<string> Ask(string request) => Ask(Encoding.UTF8.GetBytes(request));

    private async Task<string> Ask(byte[] request)
    {
        using var socket = await Connect();
        await socket.SendAsync(request);
        socket.Shutdown(SocketShutdown.Send);
        using var answer = new MemoryStream();
        var chunk = new byte[4096];
        int read;
        while ((read = await socket.ReceiveAsync(chunk)) > 0)
            answer.Write(chunk, 0, read);
        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
