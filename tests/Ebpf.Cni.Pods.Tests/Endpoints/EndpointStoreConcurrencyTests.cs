using System.Collections.Concurrent;
using Ebpf.Cni.Compiler.Addresses;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Pods.Tests.Endpoints;

/// <summary>Files are written outside of the lock: what has an address meanwhile, and what becomes of it when the disk refuses.</summary>
public sealed class EndpointStoreConcurrencyTests : IDisposable
{
    private const int Workers = 4, Pods = 150;
    private readonly TemporaryDirectory _state = new();

    public void Dispose() => _state.Dispose();

    [Fact]
    public void What_cannot_be_written_takes_no_address()
    {
        var store = Open();
        store.SetRanges([PodCidr.Parse("10.1.0.0/29")]);
        var key = new EndpointKey("broken", "eth0");
        // A directory where the record should be: the rename fails.
        var inTheWay = Path.Combine(_state["endpoints"], key.Hash + ".json");
        Directory.CreateDirectory(inTheWay);
        for (var i = 0; i < 20; i++)
            Assert.Equal(CniErrorCode.Internal, Assert.Throws<CniException>(() => store.Reserve(key, "/ns/a", "", [])).Code);
        Assert.All(store.Usage, u => Assert.Equal(0, u.InUse));
        Directory.Delete(inTheWay);
        Assert.Single(store.Reserve(key, "/ns/a", "", []).Addresses);
    }

    [Fact]
    public async Task Many_at_once_while_ranges_change_never_share_an_address_and_all_is_on_the_disk()
    {
        var store = Open();
        // Small: a released address, and one that is on its way to the disk, soon comes round again.
        PodCidr[] one = [PodCidr.Parse("10.1.0.0/28")], two = [.. one, PodCidr.Parse("10.2.0.0/28")];
        store.SetRanges(one);
        var held = new ConcurrentDictionary<string, string>();
        using var stop = new CancellationTokenSource();
        var changing = Task.Run(() =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
                store.SetRanges(i % 2 == 0 ? two : one);
        }, TestContext.Current.CancellationToken);
        await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(() =>
        {
            for (var i = 0; i < Pods; i++)
            {
                var record = store.Reserve(new EndpointKey($"p{worker}-{i}", "eth0"), "/ns/a", "", []);
                Assert.All(record.Addresses,
                    a => Assert.True(held.TryAdd(a, record.ContainerId), $"{a} is {record.ContainerId}'s and another's"));
                store.Save(record with { Ready = true });
                if (i >= Pods - 2)
                    continue; // eight stay
                Assert.All(record.Addresses, a => Assert.True(held.TryRemove(a, out _)));
                store.Release(record);
            }
        }, TestContext.Current.CancellationToken)));
        await stop.CancelAsync();
        await changing;

        var kept = held.Keys.Order(StringComparer.Ordinal);
        Assert.Equal(kept, store.All.SelectMany(r => r.Addresses).Order(StringComparer.Ordinal));
        Assert.Equal(held.Count, store.Usage.Sum(u => u.InUse));
        // What a killed agent would find.
        var next = Open();
        Assert.Equal(kept, next.All.SelectMany(r => r.Addresses).Order(StringComparer.Ordinal));
        Assert.All(next.All, r => Assert.True(r.Ready));
    }

    private EndpointStore Open() =>
        new(new EndpointFiles(_state.Path, "n1"), TimeSpan.Zero, TimeProvider.System, NullLogger<EndpointStore>.Instance);
}
