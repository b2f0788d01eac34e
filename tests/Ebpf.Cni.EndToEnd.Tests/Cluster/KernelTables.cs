using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kubernetes;
using Ebpf.Cni.Sandbox.Cluster;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.EndToEnd.Tests.Cluster;

/// <summary>What a node's kernel holds, and what it should hold, in the same words: frontend → sorted backends.</summary>
internal static class KernelTables
{
    /// <summary>Read from the pinned maps, past the agent.</summary>
    public static SortedDictionary<string, string> Read(SandboxNode node)
    {
        using var frontends = BpfMap.OpenPinned(Path.Combine(node.BpffsRoot, "maps", MapNames.Service));
        using var backends = BpfMap.OpenPinned(Path.Combine(node.BpffsRoot, "maps", MapNames.Backend));
        using var array = backends.MapArray<Backend>();
        var tables = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (key, value) in frontends.ReadAll<SvcKey, Svc>())
        {
            var segment = array.Span.Slice((int)value.Offset, (int)value.Count).ToArray();
            if (segment.Any(b => b.ServiceId != value.ServiceId))
                throw new InvalidDataException($"{key} points into another service's segment");
            tables[key.ToString()] = string.Join(' ', segment.Select(b => $"{b.Addr}:{b.Port}/{b.Flags}").Order(StringComparer.Ordinal));
        }
        return tables;
    }

    /// <summary>The cluster as a watcher of its own sees it, compiled afresh for the node.</summary>
    public static async Task<SortedDictionary<string, string>> Compile(SandboxCluster cluster, SandboxNode node)
    {
        var snapshot = await Observe(cluster);
        var desired = ClusterCompiler.Compile(snapshot, new NodeContext(node.Name), IdTable.Empty);
        var segments = desired.Segments.ToDictionary(s => s.Key);
        var tables = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var frontend in desired.Frontends)
            tables[frontend.Key.ToString()] = string.Join(
                ' ', segments[frontend.Segment].Backends.Select(b => $"{b.Addr}:{b.Port}/{b.Flags}").Order(StringComparer.Ordinal));
        return tables;
    }

    private static async Task<ClusterSnapshot> Observe(SandboxCluster cluster)
    {
        using var connection = KubernetesConnection.FromKubeconfig(cluster.KubeconfigPath);
        var store = new SnapshotStore();
        var watcher = new ClusterWatcher(connection, store, NullLogger<ClusterWatcher>.Instance);
        using var stop = new CancellationTokenSource();
        var running = watcher.RunAsync(stop.Token);
        while (!store.Synced)
            await store.WaitForChangeAsync(CancellationToken.None);
        await stop.CancelAsync();
        await running.ContinueWith(_ => { }, TaskScheduler.Default);
        return store.Current;
    }
}
