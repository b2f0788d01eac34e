using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Sandbox.Api;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sandbox.Tests.Kubectl;

/// <summary>
/// exec, cp, port-forward and logs: the API's side of them is the real one, the pod's programs and ports are this machine's.
/// </summary>
public sealed class StreamTests : KubectlTest
{
    private readonly GrowingLog _log = new();

    protected override ApiServerOptions Options => new() { Streams = new LocalStreams(), Logs = _log };

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Kubectl("create", "deployment", "web", "--image=none");
        await Kubectl("run", "client", "--image=none");
        await Kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");
    }

    [Fact]
    public async Task Exec_carries_input_both_outputs_and_the_exit_code()
    {
        string[] command = ["exec", "-i", "client", "--", "sh", "-c", "cat; echo wrong >&2; exit 7"];
        var (code, output, errors) = await Program.RunAsync(command, "first\nsecond\n");
        Assert.Equal((7, "first\nsecond\n"), (code, output));
        Assert.Contains("wrong", errors, StringComparison.Ordinal);
        Assert.Contains("exit code 7", errors, StringComparison.Ordinal);
        Assert.Equal("yes\n", await Kubectl("exec", "deploy/web", "--", "echo", "yes"));
        // more than any buffer on the way
        Assert.Equal(3_000_000, (await Kubectl("exec", "client", "--", "head", "-c", "3000000", "/dev/zero")).Length);
        var (refused, _, why) = await Program.RunAsync(["exec", "client", "-c", "other", "--", "true"]);
        Assert.Equal(1, refused);
        Assert.Contains("other", why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Exec_gives_a_terminal_of_the_clients_size()
    {
        Requires.Tool("script");
        const string inside = "test -t 0 && read line && stty size && echo \"<$line>\"";
        const string typed = $"stty cols 91 rows 17; kubectl exec -it client -- sh -c '{inside}'";
        using var terminal = Program.Begin("script", ["-qec", typed, "/dev/null"]);
        await terminal.StandardInput.WriteAsync("typed\n");
        await terminal.StandardInput.FlushAsync();
        var output = await terminal.StandardOutput.ReadToEndAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains("17 91", output, StringComparison.Ordinal);
        Assert.Contains("<typed>", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_are_copied_both_ways()
    {
        Requires.Tool("tar");
        var bytes = new byte[200_000];
        Random.Shared.NextBytes(bytes);
        File.WriteAllBytes(Path.Combine(Scratch, "here"), bytes);
        var there = Path.Combine(Scratch, "there");
        await Kubectl("cp", "here", "client:" + there);
        Assert.Equal(bytes, File.ReadAllBytes(there));
        await Kubectl("cp", "client:" + there, "back");
        Assert.Equal(bytes, File.ReadAllBytes(Path.Combine(Scratch, "back")));
    }

    [Fact]
    public async Task Ports_are_forwarded_for_many_connections_and_a_closed_one_is_told()
    {
        using var echo = new EchoServer();
        await Kubectl("expose", "deployment", "web", "--port=80", $"--target-port={echo.Port}");
        using var forward = await Program.ForwardAsync("service/web", ":80");
        await Task.WhenAll(Enumerable.Range(1, 8).Select(n => EchoAsync(forward.Port, n * 50_000)));
        echo.Dispose();
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, forward.Port);
        Assert.Equal(0, await client.GetStream().ReadAsync(new byte[1]));
        var told = await forward.Errors.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Contains("an error occurred forwarding", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Logs_are_followed()
    {
        _log.Add("one");
        Assert.Equal("one\n", await Kubectl("logs", "client"));
        await Program.UntilLineAsync(line => line == "two", () => _log.Add("two"), "logs", "-f", "client");
        Assert.Contains("one", await Kubectl("logs", "deploy/web"), StringComparison.Ordinal);
    }

    private static async Task EchoAsync(int port, int length)
    {
        var sent = new byte[length];
        Random.Shared.NextBytes(sent);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, port);
        await using var stream = client.GetStream();
        var writing = stream.WriteAsync(sent).AsTask();
        var received = new byte[length];
        await stream.ReadExactlyAsync(received).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        await writing;
        client.Client.Shutdown(SocketShutdown.Send);
        Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.Equal(sent, received);
    }
}
