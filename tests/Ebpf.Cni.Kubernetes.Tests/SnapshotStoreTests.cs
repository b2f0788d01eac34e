using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kubernetes.Tests;

public class SnapshotStoreTests
{
    private readonly SnapshotStore _store = new();

    [Fact]
    public void A_relist_of_the_same_versions_keeps_every_instance_and_signals_nothing()
    {
        Sync();
        Assert.True(Changed());
        var before = _store.Current;
        _store.Services.Replace([Service("a", "1"), Service("b", "2")]);
        Assert.Same(before, _store.Current);
        Assert.False(Changed());
    }

    [Fact]
    public void A_new_version_with_the_same_content_keeps_the_instance()
    {
        Sync();
        Assert.True(Changed());
        var before = _store.Current;
        _store.Services.Upsert(Service("a", "10"));
        _store.Services.Replace([Service("a", "11"), Service("b", "12")]);
        Assert.Same(before, _store.Current);
        _store.Services.Upsert(Service("a", "13", port: 9));
        Assert.NotSame(before, _store.Current);
        Assert.Same(before.Services[new("n", "b")], _store.Current.Services[new("n", "b")]);
        Assert.True(Changed());
    }

    [Fact]
    public void A_list_with_a_nameless_element_removes_nothing()
    {
        Sync();
        _store.Services.Replace([Service("a", "5"), new Decoded<ServiceSnapshot>(default, "", "", null, "no name")]);
        Assert.Equal(2, _store.Current.Services.Count);
        _store.Services.Replace([Service("a", "5")]);
        Assert.Single(_store.Current.Services);
    }

    [Fact]
    public void Many_changes_are_one_signal()
    {
        Sync();
        for (var i = 0; i < 100; i++)
            _store.Services.Upsert(Service($"s{i}", "9"));
        Assert.True(Changed());
        Assert.False(Changed());
    }

    [Fact]
    public void What_is_taken_names_what_changed_since_it_was_taken_before()
    {
        Assert.Same(ClusterSnapshot.Empty, _store.Take());
        Sync();
        var first = _store.Take();
        Assert.Null(first.ServiceChanges); // of the first list, everything is new
        _store.Services.Upsert(Service("a", "10", port: 9));
        _store.Services.Upsert(Service("c", "11"));
        _store.Services.Remove(new("n", "c"), "12");
        _store.EndpointSlices.Upsert(Slice("a", "13"));
        var second = _store.Take();
        Assert.Same(first.Services, second.ServiceChanges!.Since);
        Assert.Equal(["a", "c"], second.ServiceChanges.Keys.Select(k => k.Name).Order());
        Assert.Equal("a", Assert.Single(second.SliceChanges!.Keys).Name);
        var third = _store.Take();
        Assert.True(third.IsSame(second));
        Assert.Empty(third.ServiceChanges!.Keys);
        Assert.Empty(third.SliceChanges!.Keys);
    }

    [Fact]
    public void Whatever_happens_what_is_taken_names_all_that_differs()
    {
        var random = new Random(Seed.Next());
        Sync();
        var before = _store.Take();
        var version = 10;
        for (var step = 0; step < 300; step++)
        {
            for (var i = random.Next(4); i > 0; i--)
                Change();
            var after = _store.Take();
            Assert.Same(before.Services, after.ServiceChanges!.Since);
            Assert.Same(before.EndpointSlices, after.SliceChanges!.Since);
            Assert.Empty(KeyedDifference.Between(before.Services, after.Services, null).Except(after.ServiceChanges.Keys));
            Assert.Empty(KeyedDifference.Between(before.EndpointSlices, after.EndpointSlices, null).Except(after.SliceChanges.Keys));
            before = after;
        }

        void Change()
        {
            var (name, at) = ($"s{random.Next(8)}", $"{version++}");
            switch (random.Next(6))
            {
                case 0:
                    _store.Services.Remove(new("n", name), at);
                    break;
                case 1:
                    _store.EndpointSlices.Remove(new("n", name), at);
                    break;
                case 2:
                    _store.Services.Replace(
                    [
                        .. Enumerable.Range(0, 8).Where(_ => random.Next(4) > 0)
                            .Select(i => Service($"s{i}", at, port: 80 + random.Next(2))),
                    ]);
                    break;
                case 3:
                    _store.EndpointSlices.Replace(
                    [
                        .. Enumerable.Range(0, 8).Where(_ => random.Next(4) > 0)
                            .Select(i => Slice($"s{i}", at, $"10.0.0.{random.Next(1, 3)}")),
                    ]);
                    break;
                case 4:
                    _store.Services.Upsert(Service(name, at, port: 80 + random.Next(2)));
                    break;
                default:
                    _store.EndpointSlices.Upsert(Slice(name, at, $"10.0.0.{random.Next(1, 3)}"));
                    break;
            }
        }
    }

    [Fact]
    public void Ten_thousand_services_and_slices_come_in_order()
    {
        var random = new Random(1);
        var names = Enumerable.Range(0, 10_000).Select(i => $"s{i:00000}").ToArray();
        random.Shuffle(names);
        _store.Services.Replace([.. names.Select(n => Service(n, "1"))]);
        _store.EndpointSlices.Replace([.. names.Select(n => Slice(n, "1"))]);
        _store.Nodes.Replace([]);
        Assert.Equal(10_000, _store.Current.Services.Count);
        Assert.Equal(names.Order(StringComparer.Ordinal), _store.Current.Services.Keys.Select(k => k.Name));

        // a relist that differs in one shares the rest
        var before = _store.Current.EndpointSlices;
        var relisted = names.Select(n => Slice(n, n == names[7] ? "2" : "1", n == names[7] ? "10.9.9.9" : "10.0.0.1")).Skip(1);
        _store.EndpointSlices.Replace([.. relisted]);
        Assert.Equal(9_999, _store.Current.EndpointSlices.Count);
        Assert.Equal(9_998, _store.Current.EndpointSlices.Count(e => ReferenceEquals(before[e.Key], e.Value)));
    }

    private void Sync()
    {
        _store.Nodes.Replace([]);
        _store.EndpointSlices.Replace([]);
        Assert.False(_store.Synced);
        Assert.False(Changed());
        _store.Services.Replace([Service("a", "1"), Service("b", "2")]);
        Assert.True(_store.Synced);
    }

    private bool Changed()
    {
        using var none = new CancellationTokenSource();
        var change = _store.WaitForChangeAsync(none.Token);
        if (change.IsCompletedSuccessfully)
            return true;
        none.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => change.AsTask().GetAwaiter().GetResult());
        return false;
    }

    private static Decoded<ServiceSnapshot> Service(string name, string version, int port = 80)
    {
        var key = new ObjectName("n", name);
        return new(key, "u", version, new ServiceSnapshot
            { Name = key, Ports = [new ServicePortSnapshot("p", "TCP", port)], ClusterIPs = ["10.0.0.1"] }, null);
    }

    private static Decoded<EndpointSliceSnapshot> Slice(string name, string version, string address = "10.0.0.1")
    {
        var key = new ObjectName("n", name);
        return new(
            key, "u", version, new EndpointSliceSnapshot
                { Name = key, ServiceName = name, Endpoints = [new([address], true, true, false, "node")] }, null);
    }
}
