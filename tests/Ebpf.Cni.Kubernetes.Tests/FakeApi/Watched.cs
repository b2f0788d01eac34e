using Ebpf.Cni.Kubernetes.Watching;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>A fake API and a watcher that follows it; the watcher's end is checked on disposal.</summary>
public sealed class Watched : IAsyncDisposable
{
    /// <summary>Real time, small delays.</summary>
    public static readonly WatchOptions Quick = new()
    {
        PageSize = 3,
        FirstBackoff = TimeSpan.FromMilliseconds(1),
        LongestBackoff = TimeSpan.FromMilliseconds(20),
        RelistJitter = TimeSpan.FromMilliseconds(5),
        DoubtfulSilence = TimeSpan.FromMilliseconds(200),
        EmptyListDoubt = TimeSpan.FromMilliseconds(100),
    };

    private readonly CancellationTokenSource _stop = new();
    private readonly KubernetesConnection _connection;
    private readonly Task _running;

    private Watched(FakeApiServer api, KubernetesConnection connection, TimeProvider time, WatchOptions options)
    {
        Api = api;
        _connection = connection;
        Store = new SnapshotStore(time);
        Watcher = new ClusterWatcher(connection, Store, NullLogger<ClusterWatcher>.Instance, time, options);
        _running = Watcher.RunAsync(_stop.Token);
    }

    public FakeApiServer Api { get; }
    public SnapshotStore Store { get; }
    public ClusterWatcher Watcher { get; }

    /// <summary>Completes, with its exception, if the watcher dies.</summary>
    public Task Running => _running;

    public static async Task<Watched> StartAsync(
        Func<FakeRequest, Fault?>? script = null, Action<FakeCluster>? seed = null, TimeProvider? time = null, WatchOptions? options = null)
    {
        var api = await FakeApiServer.StartAsync();
        (seed ?? Objects.Seed)(api.Cluster);
        if (script is not null)
            api.Script = script;
        return new Watched(api, KubernetesConnection.Anonymous(api.Address), time ?? TimeProvider.System, options ?? Quick);
    }

    public ReflectorState State(string path) => Watcher.States.Single(s => s.Kind == Objects.KindOf(path));

    public Task Synced() => Store.WhenSynced.WaitAsync(TimeSpan.FromSeconds(30));

    /// <summary>Waits until the store says what the API says.</summary>
    public async Task Converged()
    {
        try
        {
            await Eventually.True(() => _running.IsFaulted || (Store.Synced && Difference.Between(Api.Cluster, Store.Current) is null),
                "store equals API");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException(
                $"{e.Message}: {Difference.Between(Api.Cluster, Store.Current)}; {string.Join("; ", Watcher.States)}", e);
        }

        if (_running.IsFaulted)
            await _running;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running.WaitAsync(TimeSpan.FromSeconds(30));
        _connection.Dispose();
        await Api.DisposeAsync();
        _stop.Dispose();
    }
}
