using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Tables that packets write change their size at the next start, and keep what they hold.</summary>
public sealed class ResizeTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void Every_table_that_packets_write_grows_and_shrinks_in_place()
    {
        var options = _ground.Options with { KeepExternalSource = true };
        NodeDataplane.Open(options).Dispose();
        Put<CtKey, Ct>(MapNames.ConntrackAny, Key(1), new Ct { ServiceId = 1 });
        Put<SockRevKey, SockRev>(MapNames.SockRev, new SockRevKey(1, default, default), new SockRev { ServiceId = 2 });
        Put<SockRevKey, SockFlow>(MapNames.SockFlow, new SockRevKey(1, default, default), new SockFlow { ServiceId = 3 });
        Put<AffinityKey, Affinity>(MapNames.Affinity, new AffinityKey(default, 4), new Affinity { LastUsedNs = 4 });
        Put<StatKey, Stat>(MapNames.Stat, new StatKey(default, 5, default), new Stat(5, 0, 0, 0, 0));
        Put<CtKey, WayBack>(MapNames.Return, Key(6), new WayBack(6, default, default));
        var larger = options with { ConntrackTcpMax = 2048, ConntrackOtherMax = 2048, SocketFlowsMax = 4096, AffinityTableSize = 4096,
            StatTableSize = 4096 };
        foreach (var (next, size) in new[] { (larger, 4096u), (larger, 4096u), (options, 1024u) })
        {
            using var dataplane = NodeDataplane.Open(next);
            Assert.Empty(dataplane.Notices);
            Assert.Equal(
                [2 * next.ConntrackOtherMax, size, size, size, size, next.ConntrackTcpMax / 4],
                new[] { MapNames.ConntrackAny, MapNames.SockRev, MapNames.SockFlow, MapNames.Affinity, MapNames.Stat,
                    MapNames.Return }.Select(Size));
            Assert.Equal(1u, Get<CtKey, Ct>(MapNames.ConntrackAny, Key(1)).ServiceId);
            Assert.Equal(2u, Get<SockRevKey, SockRev>(MapNames.SockRev, new SockRevKey(1, default, default)).ServiceId);
            Assert.Equal(3u, Get<SockRevKey, SockFlow>(MapNames.SockFlow, new SockRevKey(1, default, default)).ServiceId);
            Assert.Equal(4u, Get<AffinityKey, Affinity>(MapNames.Affinity, new AffinityKey(default, 4)).LastUsedNs);
            Assert.Equal(5u, Get<StatKey, Stat>(MapNames.Stat, new StatKey(default, 5, default)).Connections);
            Assert.Equal(6u, Get<CtKey, WayBack>(MapNames.Return, Key(6)).Ifindex);
        }
        Assert.DoesNotContain(Directory.GetFiles(Maps), f => f.EndsWith("_next", StringComparison.Ordinal));
    }

    [Fact]
    public void A_table_that_holds_too_much_for_a_smaller_one_stays_and_says_so()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        for (ushort port = 1; port <= 200; port++)
            Put<CtKey, Ct>(MapNames.ConntrackAny, Key(port), default);
        using (var dataplane = NodeDataplane.Open(_ground.Options with { ConntrackTcpMax = 32, ConntrackOtherMax = 32 }))
            Assert.Contains("the conntrack-other-max option (64)", Assert.Single(dataplane.Notices), StringComparison.Ordinal);
        Assert.Equal(2 * _ground.Options.ConntrackOtherMax, Size(MapNames.ConntrackAny));
    }

    /// <summary>Programs of both kinds run then: what the new ones have written is kept, too.</summary>
    [Fact]
    public void A_start_that_died_between_two_links_is_taken_up_by_the_next()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        var larger = _ground.Options with { ConntrackOtherMax = 2048 };
        Assert.ThrowsAny<Exception>(() => NodeDataplane.Open(larger with { CgroupRoot = "/nowhere" }));
        var now = (ulong)System.Diagnostics.Stopwatch.GetTimestamp();
        Put<CtKey, Ct>(MapNames.ConntrackAny, Key(1), new Ct { LastSeenNs = now });
        Put<CtKey, Ct>(MapNames.ConntrackAny + "_next", Key(2), new Ct { LastSeenNs = now });
        using var dataplane = NodeDataplane.Open(larger);
        Assert.Equal(2 * 2048u, Size(MapNames.ConntrackAny));
        using var map = BpfMap.OpenPinned(Path.Combine(Maps, MapNames.ConntrackAny));
        Assert.Equal([1, 2], map.ReadAll<CtKey, Ct>().Select(e => (int)e.Key.Sport.Host).Order());
        Assert.DoesNotContain(Directory.GetFiles(Maps), f => f.EndsWith("_next", StringComparison.Ordinal));
    }

    [Fact]
    public void Tables_of_socket_hooks_and_of_kept_sources_are_there_only_with_them()
    {
        string[] tables = [MapNames.SockRev, MapNames.SockFlow, MapNames.Netns, MapNames.Return];
        var keep = _ground.Options with { KeepExternalSource = true };
        NodeDataplane.Open(keep).Dispose();
        Assert.All(tables, t => Assert.True(File.Exists(Path.Combine(Maps, t)), t));
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            using var dataplane = NodeDataplane.Open(_ground.Options with { SocketLb = SocketLbMode.Off });
            Assert.Empty(dataplane.Notices);
            Assert.All(tables, t => Assert.False(File.Exists(Path.Combine(Maps, t)), t));
            Assert.DoesNotContain(dataplane.Usage(), u => tables.Contains(u.Table));
            dataplane.Endpoints.Put(new Pods.PodEndpoint(1, 1, default, default, [Addr.Parse("10.244.0.5")], 77));
            Assert.Single(dataplane.Endpoints.List());
            Assert.Equal(1, dataplane.Endpoints.Remove([Addr.Parse("10.244.0.5")]));
        });
        using var again = NodeDataplane.Open(keep);
        Assert.All(tables, t => Assert.True(File.Exists(Path.Combine(Maps, t)), t));
    }

    private string Maps => Path.Combine(_ground.Options.BpffsRoot, "maps");

    private uint Size(string name)
    {
        using var map = BpfMap.OpenPinned(Path.Combine(Maps, name));
        return map.Info.MaxEntries;
    }

    private void Put<TKey, TValue>(string name, TKey key, TValue value) where TKey : unmanaged where TValue : unmanaged
    {
        using var map = BpfMap.OpenPinned(Path.Combine(Maps, name));
        map.Update(key, value);
    }

    private TValue Get<TKey, TValue>(string name, TKey key) where TKey : unmanaged where TValue : unmanaged
    {
        using var map = BpfMap.OpenPinned(Path.Combine(Maps, name));
        return map.TryLookup(key, out TValue value) ? value : throw new InvalidOperationException($"{name} has lost its entry");
    }

    private static CtKey Key(ushort port) =>
        new(Addr.Parse("10.244.0.1"), Addr.Parse("10.96.0.1"), U16Be.FromHost(port), U16Be.FromHost(80), IpProtocol.Tcp);
}
