using System.Buffers;
using System.Collections.Immutable;
using System.Reflection;
using System.Text;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Store;

namespace Ebpf.Cni.Kubernetes.Tests;

/// <summary>
/// Equal content is the same and every difference is one, in each property that there is: a new one that nobody thought of here fails the
/// first test if it is an array (compared by reference), and cannot be overlooked by the second.
/// </summary>
public class SnapshotContentTests
{
    [Fact]
    public void Decoded_twice_is_the_same()
    {
        Assert.True(SnapshotContent.Same(Service(), Service()));
        Assert.True(SnapshotContent.Same(Slice(), Slice()));
        Assert.True(SnapshotContent.Same(Node(), Node()));
    }

    [Fact]
    public void Every_array_is_full_in_the_samples_so_that_the_other_test_means_something()
    {
        AssertFull(Service());
        AssertFull(Slice());
        AssertFull(Slice().Endpoints[0]);
        AssertFull(Node());
    }

    [Fact]
    public void A_change_of_any_property_is_seen()
    {
        foreach (var changed in Changed(Service()))
            Assert.False(SnapshotContent.Same(Service(), changed), $"{changed}");
        foreach (var changed in Changed(Slice()))
            Assert.False(SnapshotContent.Same(Slice(), changed), $"{changed}");
        foreach (var changed in Changed(Node()))
            Assert.False(SnapshotContent.Same(Node(), changed), $"{changed}");
        foreach (var changed in Changed(Slice().Endpoints[0]))
            Assert.False(SnapshotContent.Same(Slice(), Slice() with { Endpoints = Slice().Endpoints.SetItem(0, changed) }), $"{changed}");
    }

    private static ServiceSnapshot Service() => Decode(Kinds.Services, Samples.LoadBalancerService);

    private static EndpointSliceSnapshot Slice() => Decode(Kinds.EndpointSlices, Samples.Slice);

    private static NodeSnapshot Node() => Decode(Kinds.Nodes, Samples.Node);

    private static T Decode<T>(ResourceKind<T> kind, string json)
        where T : class => kind.Decode(new ReadOnlySequence<byte>(Encoding.UTF8.GetBytes(json))).Value!;

    private static void AssertFull<T>(T item)
    {
        foreach (var property in typeof(T).GetProperties()
            .Where(p => p.PropertyType.Name.StartsWith("ImmutableArray", StringComparison.Ordinal)))
            Assert.True(((System.Collections.ICollection)property.GetValue(item)!).Count > 0, property.Name);
    }

    /// <summary>A copy for each property, with another value in it.</summary>
    private static IEnumerable<T> Changed<T>(T item)
        where T : class
    {
        var clone = typeof(T).GetMethod("<Clone>$")!;
        foreach (var property in typeof(T).GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var copy = (T)clone.Invoke(item, null)!;
            property.SetValue(copy, Other(property.PropertyType, property.GetValue(item)));
            yield return copy;
        }
    }

    private static object Other(Type type, object? value) => value switch
    {
        string text => text + "x",
        int number => number + 1,
        bool flag => !flag,
        ObjectName name => name with { Name = name.Name + "x" },
        DateTimeOffset time => time.AddSeconds(1),
        ImmutableArray<string> texts => texts.SetItem(0, texts[0] + "x"),
        ImmutableArray<ServicePortSnapshot> ports => ports.SetItem(0, ports[0] with { NodePort = 1 }),
        ImmutableArray<EndpointPortSnapshot> ports => ports.SetItem(0, ports[0] with { Port = 1 }),
        ImmutableArray<EndpointSnapshot> endpoints => endpoints.RemoveAt(0),
        null when type == typeof(string) => "x",
        _ => throw new NotSupportedException($"{type}: say here what another value of it is"),
    };
}
