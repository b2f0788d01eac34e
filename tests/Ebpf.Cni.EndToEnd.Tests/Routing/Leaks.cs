using Ebpf.Cni.EndToEnd.Tests.Cluster;
using Ebpf.Cni.Sandbox.Cluster;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Routing;

/// <summary>programs/sniff.py on the router: packets of pods that should have been in a tunnel.</summary>
internal sealed class Leaks : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly string _file = Path.GetTempFileName();

    public IReadOnlyList<string> Lines => File.ReadAllLines(_file);

    public IReadOnlyList<string> Found => [.. Lines.Where(l => l.StartsWith("leak", StringComparison.Ordinal))];

    public static async Task<Leaks> Watch(SandboxCluster cluster)
    {
        var leaks = new Leaks();
        var program = string.Join(' ', ServiceCluster.Program("sniff.py", RoutingCluster.PodRanges));
        var running = cluster.Outside.ExecAsync(["sh", "-c", $"exec {program} > {leaks._file}"], "", leaks._stop.Token);
        await Eventually.True(
            () => running.IsCompleted ? throw new InvalidOperationException($"it ended: {running.Result.Errors}") : leaks.Lines.Contains(
                "listening"), "the router is watched");
        return leaks;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        File.Delete(_file);
    }
}
