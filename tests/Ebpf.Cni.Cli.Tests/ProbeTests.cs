using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>A connection, or why there is none.</summary>
public class ProbeTests
{
    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("[::1]")]
    [InlineData("localhost")]
    public async Task A_listener_is_reached(string host)
    {
        using var listener = new TcpListener(host == "[::1]" ? IPAddress.IPv6Loopback : IPAddress.Loopback, 0);
        listener.Start();
        var target = $"{host}:{((IPEndPoint)listener.LocalEndpoint).Port}";
        var outcome = await Outcome.OfAsync("probe", target);
        Assert.Equal((0, ""), (outcome.ExitCode, outcome.Errors));
        Assert.Matches(@"^\S+: connected to \S+ in \d+\.\d ms\n$", outcome.Output);
        var json = JsonDocument.Parse((await Outcome.OfAsync("probe", target, "-o", "json")).Output).RootElement;
        Assert.Equal((target, JsonValueKind.Null), (json.GetProperty("target").GetString(), json.GetProperty("error").ValueKind));
    }

    [Fact]
    public async Task A_port_where_nobody_listens_refuses()
    {
        int port;
        using (var closed = new TcpListener(IPAddress.Loopback, 0))
        {
            closed.Start();
            port = ((IPEndPoint)closed.LocalEndpoint).Port;
        }

        var outcome = await Outcome.OfAsync("probe", $"127.0.0.1:{port}");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains("connection refused", outcome.Errors, StringComparison.Ordinal);
        var json = await Outcome.OfAsync("probe", $"127.0.0.1:{port}", "-ojson");
        Assert.Equal(1, json.ExitCode);
        Assert.Contains("refused", JsonDocument.Parse(json.Output).RootElement.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silence_ends_with_the_time_limit()
    {
        // A full backlog answers no further SYN.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        full.Listen(0);
        using var first = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await first.ConnectAsync(full.LocalEndPoint!);
        var outcome = await Outcome.OfAsync("probe", $"{full.LocalEndPoint}", "--timeout", "0.2");
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains("did not answer within 0.2 s", outcome.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_does_not_exist_is_told()
    {
        var outcome = await Outcome.OfAsync("probe", "no-such-name.invalid:80", "--timeout", "3");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains("the name no-such-name.invalid", outcome.Errors, StringComparison.Ordinal);
    }
}
