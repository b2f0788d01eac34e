using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

public sealed class NodeDataplaneTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void A_restart_keeps_content_ids_and_links_and_puts_its_programs_in_place()
    {
        var desired = Together(
            Single("a", 7, "10.96.0.1", "10.244.0.1", "10.244.0.2"), Single("b", 9, "fd00::1", "fd00:244::1"),
            Single("none", 3, "10.96.0.3"));
        Dictionary<string, BpfLinkInfo> before;
        using (var first = NodeDataplane.Open(_ground.Options))
        {
            Assert.Equal(new RestoreReport(0, 0, 0), first.Services.Restored);
            Assert.Empty(first.Notices);
            Assert.True(first.Services.Apply(desired).Complete);
            before = SocketLinks();
            Assert.Equal(12, before.Count);
        }
        using var second = NodeDataplane.Open(_ground.Options);
        Assert.Equal(new RestoreReport(3, 2, 0), second.Services.Restored);
        Assert.Equal(desired.Frontends.ToDictionary(f => f.Key, f => f.Segment.ServiceId),
            second.Services.RestoredIds.Restored.ToDictionary());
        Assert.Equal(10u, second.Services.RestoredIds.Next);
        Assert.Equal(0, second.Services.Apply(desired).KernelWrites);
        Assert.Equal(default, second.Services.Verify());
        var after = SocketLinks();
        Assert.Equal(before.Keys.Order(), after.Keys.Order());
        Assert.All(before, link => Assert.Equal(link.Value.Id, after[link.Key].Id));
        Assert.All(before, link => Assert.NotEqual(link.Value.ProgramId, after[link.Key].ProgramId));
    }

    [Fact]
    public void One_endpoint_costs_two_writes_in_a_real_table_too()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        dataplane.Services.Apply(Single("a", 1, "10.96.0.1", "10.244.0.1"));
        Assert.Equal(2, dataplane.Services.Apply(Single("a", 1, "10.96.0.1", "10.244.0.1", "10.244.0.2")).KernelWrites);
        var view = Assert.Single(dataplane.Services.ReadServices());
        Assert.True(view.Sound);
        Assert.Equal(["10.244.0.1", "10.244.0.2"], view.Backends.Select(b => b.Addr.ToString()));
        Assert.Equal(1, dataplane.Services.Apply(DesiredState.Empty).FrontendsDeleted);
        Assert.Empty(dataplane.Services.ReadServices());
    }

    [Fact]
    public void Tables_of_another_layout_version_go_when_nobody_reads_them_any_more()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        var maps = Path.Combine(_ground.Options.BpffsRoot, "maps");
        var before = Directory.GetFiles(maps).Order().ToList();
        using (var old = BpfMap.Create(new("ebc_svc_v0", BpfMapType.Hash, 8, 8, 4)))
            old.Pin(Path.Combine(maps, "ebc_svc_v0"));
        using (var dataplane = NodeDataplane.Open(_ground.Options))
            Assert.Contains("ebc_svc_v0", Assert.Single(dataplane.Notices), StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFiles(maps).Order());
    }

    [Fact]
    public void Hooks_follow_the_cgroup_and_all_but_the_loopbacks_go_when_switched_off()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        var other = _ground.AddCgroup("b");
        NodeDataplane.Open(_ground.Options with { CgroupRoot = other }).Dispose();
        var id = CgroupDirectory.Open(other).Id;
        Assert.All(SocketLinks().Values, link => Assert.Equal(id, link.CgroupId));
        using var node = NetworkNamespace.CreateAnonymous(); // without hooks its loopback device gets a program
        node.Run(() =>
        {
            using var off = NodeDataplane.Open(_ground.Options with { SocketLb = SocketLbMode.Off });
            Assert.Empty(off.Notices);
        });
        // what the node asks its loopback address from another one: kubelet's firewall drops it before it gets to tc
        Assert.Equal(
            ["connect4", "connect6", "getpeername4", "getpeername6", "recvmsg4", "recvmsg6", "sendmsg4", "sendmsg6"],
            SocketLinks().Keys.Order());
    }

    [Fact]
    public void Without_a_cgroup_tc_translates_all_the_same_and_says_what_is_missing()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        using var node = NetworkNamespace.CreateAnonymous();
        node.Run(() =>
        {
            using var off = NodeDataplane.Open(_ground.Options with { SocketLb = SocketLbMode.Off, CgroupRoot = "/proc" });
            Assert.Contains("at 127.0.0.1", Assert.Single(off.Notices), StringComparison.Ordinal);
        });
        Assert.Empty(SocketLinks());
    }

    [Fact]
    public void Hooks_of_a_cgroup_that_is_gone_are_attached_again()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        CgroupDirectory.Open(_ground.Options.CgroupRoot).Remove();
        CgroupDirectory.Create(_ground.Options.CgroupRoot);
        NodeDataplane.Open(_ground.Options).Dispose();
        var id = CgroupDirectory.Open(_ground.Options.CgroupRoot).Id;
        Assert.Equal(12, SocketLinks().Count);
        Assert.All(SocketLinks().Values, link => Assert.Equal(id, link.CgroupId));
    }

    [Fact]
    public void A_table_grows_with_its_option_and_keeps_what_it_holds()
    {
        var desired = Together(Single("a", 1, "10.96.0.1", "10.244.0.1"), Single("b", 2, "10.96.0.2", "10.244.0.2", "10.244.0.3"));
        desired = State(
            desired.Segments,
            desired.Frontends.Select(f => f with { Flags = SvcFlags.SourceRanges }),
            [Range(1, "192.0.2.0/24"), Range(2, "2001:db8::/32")]);
        ImmutableArray<DesiredPrefix> prefixes =
            [new(Addr.Parse("10.244.0.0"), 16, IpcacheFlags.Pod), new(Addr.Parse("fd00::"), 8, IpcacheFlags.Pod)];
        using (var first = NodeDataplane.Open(_ground.Options))
        {
            first.Services.Apply(desired);
            Assert.Equal(2, first.Ipcache.Apply(prefixes).Written);
        }
        var larger = _ground.Options with { BackendTableSize = 8192, ServiceTableSize = 2048, EndpointTableSize = 128,
            SourceRangeTableSize = 128, IpcacheTableSize = 256 };
        for (var restart = 0; restart < 2; restart++)
        {
            using var dataplane = NodeDataplane.Open(larger);
            Assert.Empty(dataplane.Notices);
            Assert.Equal([2048u, 8192u, 128u], Sizes(dataplane, MapNames.Service, MapNames.Backend, MapNames.Endpoint));
            Assert.Equal([128u, 256u], Sizes(dataplane, MapNames.SourceRange, MapNames.Ipcache));
            Assert.Equal(new RestoreReport(2, 2, 0), dataplane.Services.Restored);
            Assert.Equal(0, dataplane.Services.Apply(desired).KernelWrites);
            Assert.Equal((0, 0), dataplane.Ipcache.Apply(prefixes) is var same ? (same.Written, same.Deleted) : default);
        }
        Assert.DoesNotContain(Directory.GetFiles(Path.Combine(_ground.Options.BpffsRoot, "maps")),
            f => f.EndsWith("_next", StringComparison.Ordinal));
    }

    [Fact]
    public void A_start_that_died_while_a_table_grew_is_repeated_by_the_next()
    {
        var desired = Single("a", 1, "10.96.0.1", "10.244.0.1");
        using (var first = NodeDataplane.Open(_ground.Options))
            first.Services.Apply(desired);
        var larger = _ground.Options with { BackendTableSize = 8192, ServiceTableSize = 2048 };
        // It fails after the tables were copied, before they took over the pins.
        Assert.ThrowsAny<Exception>(() => NodeDataplane.Open(larger with { CgroupRoot = "/nowhere" }));
        using var second = NodeDataplane.Open(larger);
        Assert.Equal(new RestoreReport(1, 1, 0), second.Services.Restored);
        Assert.Equal(8192u, second.Usage().Single(u => u.Table == MapNames.Backend).Size);
        Assert.Equal(0, second.Services.Apply(desired).KernelWrites);
    }

    [Fact]
    public void A_table_that_cannot_change_is_reported_and_stays()
    {
        NodeDataplane.Open(_ground.Options).Dispose();
        using var second = NodeDataplane.Open(_ground.Options with { BackendTableSize = 2048, EndpointTableSize = 32 });
        Assert.Equal(["the backend-table-size option (2048)", "the endpoint-table-size option (32)", "the endpoint-table-size option (32)"],
            second.Notices.Select(n => n[n.IndexOf("the ", StringComparison.Ordinal)..].Split(" takes")[0]).Order());
        Assert.Equal(4096u, second.Usage().Single(u => u.Table == MapNames.Backend).Size);
    }

    [Fact]
    public void A_pin_of_another_layout_is_refused_and_left_alone()
    {
        BpfFileSystem.Ensure(_ground.Options.BpffsRoot);
        var path = Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Endpoint);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using (var alien = BpfMap.Create(new BpfMapSpec("alien", BpfMapType.Hash, 16, 32, 8)))
            alien.Pin(path);
        var e = Assert.Throws<DataplaneException>(() => NodeDataplane.Open(_ground.Options));
        Assert.Contains("value 32 bytes", e.Message, StringComparison.Ordinal);
        using var still = BpfMap.OpenPinned(path);
        Assert.Equal(32, still.Info.ValueSize);
    }

    [Fact]
    public void Frontends_that_lost_their_backends_start_anew()
    {
        using (var first = NodeDataplane.Open(_ground.Options))
            first.Services.Apply(Single("a", 1, "10.96.0.1", "10.244.0.1"));
        File.Delete(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Backend));
        using var second = NodeDataplane.Open(_ground.Options);
        Assert.Single(second.Notices);
        Assert.Equal(0, second.Services.Restored.Frontends);
    }

    [Fact]
    public void A_missing_object_directory_names_the_option()
    {
        var e = Assert.Throws<DataplaneException>(() => NodeDataplane.Open(_ground.Options with { ObjectDirectory = "/nowhere" }));
        Assert.Contains("the bpf-objects option", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_full_table_refuses_the_service_and_serves_the_others()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options with { BackendTableSize = 8, ServiceTableSize = 4 });
        var state = Together(Enumerable.Range(1, 6).Select(i => Single($"s{i}", (uint)i, $"10.96.0.{i}", $"10.244.0.{i}")).ToArray());
        var result = dataplane.Services.Apply(state);
        Assert.Equal(2, result.Refusals.Length);
        Assert.All(result.Refusals, r => Assert.Equal("service-table-size", r.Option));
        Assert.Equal(4, dataplane.Services.ReadServices().Length);
        var wide = Single("s1", 1, "10.96.0.1", [.. Enumerable.Range(1, 9).Select(i => $"10.244.1.{i}")]);
        result = dataplane.Services.Apply(wide);
        Assert.Equal("backend-table-size", Assert.Single(result.Refusals).Option);
        Assert.Equal("10.244.0.1", Assert.Single(dataplane.Services.ReadServices()).Backends.Single().Addr.ToString());
    }

    [Fact]
    public void The_kernels_own_refusal_is_reported_with_the_option()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options with { ServiceTableSize = 2 });
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Service));
        map.Update(Key("192.0.2.1"), new Svc(0, 0, 99, SvcFlags.None, 0)); // a foreign hand, which the mirror does not know
        var state = Together(Single("a", 1, "10.96.0.1", "10.244.0.1"), Single("b", 2, "10.96.0.2", "10.244.0.2"));
        var result = dataplane.Services.Apply(state);
        Assert.Equal("service-table-size", Assert.Single(result.Refusals).Option);
        Assert.Equal(1, dataplane.Services.Verify().Unexpected);
        dataplane.Services.Apply(state);
        Assert.True(dataplane.Services.Apply(state).Complete);
        Assert.Equal(["10.96.0.1", "10.96.0.2"], dataplane.Services.ReadServices().Select(v => v.Key.Addr.ToString()));
    }

    [Fact]
    public void Random_histories_end_as_desired_in_the_kernel()
    {
        var random = new Random(Seed.Next());
        var options = _ground.Options with { SegmentRest = TimeSpan.Zero };
        for (var restart = 0; restart < 3; restart++)
        {
            using var dataplane = NodeDataplane.Open(options);
            for (var i = 0; i < 20; i++)
            {
                var desired = DesiredStates.Random(random);
                Assert.True(dataplane.Services.Apply(desired).Complete);
                var promise = LookupModel.Promise(desired);
                var views = dataplane.Services.ReadServices();
                Assert.Equal(promise.Keys.Order(), views.Select(v => v.Key));
                Assert.All(views, v => Assert.True(v.Sound));
                Assert.Equal(default, dataplane.Services.Verify());
            }
        }
    }

    [Fact]
    public void The_guard_of_node_ports_comes_and_goes_with_its_option()
    {
        NodeDataplane.Open(_ground.Options with { BindGuard = false }).Dispose();
        Assert.DoesNotContain(SocketLinks().Keys, k => k.StartsWith("bind", StringComparison.Ordinal));
        NodeDataplane.Open(_ground.Options).Dispose();
        Assert.Equal(["bind4", "bind6"], SocketLinks().Keys.Where(k => k.StartsWith("bind", StringComparison.Ordinal)).Order());
        NodeDataplane.Open(_ground.Options with { BindGuard = false }).Dispose();
        Assert.Equal(10, SocketLinks().Count);
    }

    [Fact]
    public void Every_table_tells_how_full_it_is()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        dataplane.Services.Apply(Single("a", 1, "10.96.0.1", "10.244.0.1"));
        var usage = dataplane.Usage().ToDictionary(u => u.Table);
        Assert.Equal(
            new[]
            {
                MapNames.Service, MapNames.Backend, MapNames.SourceRange, MapNames.Endpoint, MapNames.Ipcache, MapNames.ConntrackTcp,
                    MapNames.ConntrackAny,
                MapNames.Affinity, MapNames.Stat, MapNames.SockRev, MapNames.SockFlow,
            }.Order(), usage.Keys.Order());
        Assert.Equal((1u, 0u), (usage[MapNames.Service].Entries, usage[MapNames.Affinity].Entries));
        Assert.All(usage.Values, u => Assert.True(u.Size > 0));
    }

    private static IEnumerable<uint> Sizes(NodeDataplane dataplane, params string[] tables) =>
        tables.Select(t => dataplane.Usage().Single(u => u.Table == t).Size);

    private Dictionary<string, BpfLinkInfo> SocketLinks()
    {
        var links = new Dictionary<string, BpfLinkInfo>();
        foreach (var path in Directory.GetFiles(Path.Combine(_ground.Options.BpffsRoot, "links", "socket")))
        {
            using var link = BpfLink.OpenPinned(path);
            links.Add(Path.GetFileName(path), link.Info);
        }
        return links;
    }
}
