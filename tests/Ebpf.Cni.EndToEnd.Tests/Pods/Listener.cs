using System.Text.Json.Nodes;
using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Sandbox.Store;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Pods;

/// <summary>programs/listen.py inside a pod: what datagrams arrive there.</summary>
internal sealed class Listener : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _file = Path.GetTempFileName();

    public IReadOnlyList<string> Lines => File.ReadAllLines(_file);

    public static async Task<Listener> Start(SandboxCluster cluster, JsonObject pod)
    {
        var listener = new Listener();
        string[] program = ClusterFixture.Program("listen.py", "9999");
        var running = cluster.ExecAsync(pod.Name(), ["sh", "-c", $"exec {string.Join(' ', program)} > {listener._file}"], "",
            listener._stop.Token);
        await Eventually.True(() => running.IsCompleted
            ? throw new InvalidOperationException("the listener ended") : listener.Lines.Contains("listening"), "the listener listens");
        return listener;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        File.Delete(_file);
    }
}
