using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Ebpf.Cni.Plugin.Tests;

/// <summary>A peer on a unix socket that keeps the requests and answers each with the same bytes.</summary>
internal sealed class FakeAgent : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("ebc-plugin-test-");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Task _serving;

    public FakeAgent(string answer)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen(16);
        _serving = Serve(Encoding.UTF8.GetBytes(answer));
    }

    public string SocketPath => Path.Combine(_directory.FullName, "cni.sock");

    public List<JsonDocument> Requests { get; } = [];

    public string Config(string version = "1.0.0") => Config(version, SocketPath);

    public static string Config(string version, string socket) =>
        $$"""{"cniVersion":"{{version}}","name":"k8s","type":"ebpf-cni","agentSocket":"{{socket}}","extra":[1,{"a":null}]}""";

    public void Dispose()
    {
        _listener.Dispose();
        _serving.GetAwaiter().GetResult();
        foreach (var request in Requests)
            request.Dispose();
        _directory.Delete(recursive: true);
    }

    private async Task Serve(byte[] answer)
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
                await using var stream = new NetworkStream(peer);
                using var request = new MemoryStream();
                await stream.CopyToAsync(request);
                Requests.Add(JsonDocument.Parse(request.ToArray()));
                await peer.SendAsync(answer);
            }
        }
    }
}
