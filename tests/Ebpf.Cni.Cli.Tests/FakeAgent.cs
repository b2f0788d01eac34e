using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Cli.Reporting;

namespace Ebpf.Cni.Cli.Tests;

/// <summary>An agent's run directory with a socket that answers every question with the same bytes, and keeps the questions.</summary>
internal sealed class FakeAgent : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebc-cli-test-");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Task _serving;

    /// <param name="answer">The whole HTTP response; "": the connection is closed without one.</param>
    private FakeAgent(string answer)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(Path.Combine(RunDirectory, "observe.sock")));
        _listener.Listen(4);
        _serving = ServeAsync(Encoding.UTF8.GetBytes(answer));
    }

    public string RunDirectory => _directory.FullName;

    /// <summary>Methods and paths, in order.</summary>
    public List<string> Questions { get; } = [];

    public static FakeAgent Answering(string body, int status = 200) => new(
        $"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");

    public static FakeAgent Silent() => new("");

    public async Task<Outcome> RunAsync(params string[] arguments) => await Outcome.OfAsync(["--run-dir", RunDirectory, .. arguments]);

    public void Dispose()
    {
        _listener.Dispose();
        _serving.GetAwaiter().GetResult();
        _directory.Delete(recursive: true);
    }

    private async Task ServeAsync(byte[] answer)
    {
        while (true)
        {
            Socket peer;
            try
            {
                peer = await _listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            using (peer)
            {
                var (text, buffer) = ("", new byte[4096]);
                while (!text.Contains("\r\n\r\n", StringComparison.Ordinal) && await peer.ReceiveAsync(buffer) is > 0 and var read)
                    text += Encoding.UTF8.GetString(buffer, 0, read);
                Questions.Add(text.Split(" HTTP/")[0]);
                await peer.SendAsync(answer);
            }
        }
    }
}

/// <summary>What a run left: exit code and both outputs.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Errors)
{
    public static Task<Outcome> OfAsync(params string[] arguments) => OfAsync("ecni", arguments, _ => null);

    public static async Task<Outcome> OfAsync(string invokedAs, string[] arguments, Func<string, string?> variable)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var code = await CliRun.ExecuteAsync(invokedAs, arguments, variable, new Terminal(output, errors, Terminal.WidthDefault));
        return new Outcome(code, output.ToString(), errors.ToString());
    }
}
