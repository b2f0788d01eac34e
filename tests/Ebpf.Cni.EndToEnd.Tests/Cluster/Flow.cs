using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>programs/flow.py somewhere: one socket that never stops asking, and what becomes of it.</summary>
internal sealed class Flow : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _file = Path.GetTempFileName();
    private readonly string _what;
    private readonly Task _running;

    private Flow(ServiceCluster cluster, Client client, string way, string address, int port)
    {
        _what = $"{client}: {way} socket to {address}:{port}";
        string[] source = client is Client.Outside ? [cluster.SourceOf(client, ServiceCluster.FamilyOf(address))] : [];
        var program = ServiceCluster.Program("flow.py", [way, address, $"{port}", .. source]);
        _running = cluster.RunAsync(client, ["sh", "-c", $"exec {string.Join(' ', program)} > {_file}"], _stop.Token);
    }

    /// <summary>Everything that happened to it so far.</summary>
    public IReadOnlyList<string> States => File.ReadAllLines(_file);

    public static Flow Start(ServiceCluster cluster, Client client, bool connected, string address, int port) =>
        new(cluster, client, connected ? "connected" : "unconnected", address, port);

    /// <summary>With one connected socket, whatever errors it gets.</summary>
    public static Flow StartKept(ServiceCluster cluster, Client client, string address, int port) =>
        new(cluster, client, "kept", address, port);

    /// <summary>Waits until nothing is answered any more: an unconnected socket does not hear of a refusal.</summary>
    public Task IsRefused(bool connected) => Becomes(connected ? "ECONNREFUSED" : "silence");

    /// <summary>Waits until the last thing that happened is an answer of one of these pods, or one of these errors, or "silence".</summary>
    public async Task Becomes(params string[] states)
    {
        try
        {
            await Eventually.True(
                () => _running.IsFaulted || _running.IsCompletedSuccessfully
                ? throw new InvalidOperationException($"{_what} ended")
                : States is [.., var last] && (states.Contains(last) || states.Contains(last.Split(' ')[0])),
                "", TimeSpan.FromSeconds(10));
        }
        catch (TimeoutException)
        {
            Assert.Fail($"{_what} did not become {string.Join(" or ", states)}: {string.Join(" → ", States.TakeLast(8))}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        File.Delete(_file);
    }
}
