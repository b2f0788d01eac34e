using System.Buffers;
using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>Compares a snapshot with the fake API's content.</summary>
public static class Difference
{
    /// <summary>The first difference in words; null: equal.</summary>
    public static string? Between(FakeCluster truth, ClusterSnapshot seen)
    {
        ArgumentNullException.ThrowIfNull(truth);
        ArgumentNullException.ThrowIfNull(seen);
        return Of(Kinds.Services, truth, Objects.Services, seen.Services, n => n, SnapshotContent.Same)
            ?? Of(Kinds.EndpointSlices, truth, Objects.Slices, seen.EndpointSlices, n => n, SnapshotContent.Same)
            ?? Of(Kinds.Nodes, truth, Objects.Nodes, seen.Nodes, n => n.Name, SnapshotContent.Same);
    }

    private static string? Of<TKey, T>(
        ResourceKind<T> kind, FakeCluster truth, string path, IReadOnlyDictionary<TKey, T> seen, Func<ObjectName, TKey> key,
        Func<T, T, bool> same)
        where T : class
    {
        var (_, objects) = truth.List(path, kind.Selector);
        foreach (var o in objects)
        {
            var wanted = kind.Decode(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(o.Json)));
            if (!seen.TryGetValue(key(wanted.Name), out var value))
                return $"{kind.Kind} {wanted.Name} is missing";
            if (!same(wanted.Value!, value))
                return $"{kind.Kind} {wanted.Name} differs";
        }

        return objects.Count == seen.Count ? null : $"{kind.Kind}: {seen.Count} are held, {objects.Count} exist";
    }
}
