using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Services;

public class TailAndRangeTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void A_tail_follows_the_backends_in_the_same_segment()
    {
        var (kernel, tables) = Open();
        tables.Apply(WithTail(["10.244.0.1", "10.244.0.2"], ["10.244.0.9"]));
        var svc = kernel.Frontends[Key("10.96.0.1")];
        Assert.Equal((2u, 1u), (svc.Count, svc.Tail));
        Assert.Equal(["10.244.0.1", "10.244.0.2", "10.244.0.9"],
            kernel.Backends.AsSpan((int)svc.Offset, 3).ToArray().Select(b => b.Addr.ToString()));
        Assert.Equal(3u, tables.Usage().Backends.Entries);
        var view = Assert.Single(tables.ReadServices());
        Assert.Equal((2, 1, true), (view.Backends.Length, view.Tail.Length, view.Sound));
    }

    [Fact]
    public void A_backend_that_moves_into_the_tail_is_one_switch_and_a_restart_writes_nothing()
    {
        var (kernel, tables) = Open();
        tables.Apply(WithTail(["10.244.0.1", "10.244.0.2"], []));
        var desired = WithTail(["10.244.0.1"], ["10.244.0.2"]);
        Assert.Equal((1, 1), (tables.Apply(desired).SegmentsWritten, kernel.Frontends.Count));
        var restarted = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        Assert.Equal(new RestoreReport(1, 1, 0), restarted.Restored);
        Assert.Equal(0, restarted.Apply(desired).KernelWrites);
        Assert.Equal(default, restarted.Verify());
    }

    [Fact]
    public void Only_a_tail_is_a_segment_too_and_nobody_to_choose()
    {
        var (kernel, tables) = Open();
        tables.Apply(WithTail([], ["10.244.0.9"]));
        var svc = kernel.Frontends[Key("10.96.0.1")];
        Assert.Equal((0u, 1u), (svc.Count, svc.Tail));
        Assert.Equal("10.244.0.9", kernel.Backends[svc.Offset].Addr.ToString());
    }

    [Fact]
    public void The_same_elements_divided_otherwise_are_another_segment()
    {
        var (kernel, _) = Open();
        var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        tables.Apply(WithTail(["10.244.0.1", "10.244.0.2"], []));
        var svc = kernel.Frontends[Key("10.96.0.1")];
        kernel.Frontends[Key("10.96.0.1", 81)] = svc with { Count = 1, Tail = 1 };
        var restarted = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        Assert.Equal(new RestoreReport(2, 1, 0), restarted.Restored); // of unknown content: it is replaced, not believed
        Assert.Equal(2, restarted.Apply(WithTail(["10.244.0.1", "10.244.0.2"], [])).KernelWrites - 1); // segment, switch, delete
    }

    [Fact]
    public void A_damaged_tail_is_found()
    {
        var (kernel, tables) = Open();
        tables.Apply(WithTail(["10.244.0.1"], ["10.244.0.9"]));
        kernel.Backends[kernel.Frontends[Key("10.96.0.1")].Offset + 1] = default;
        Assert.Equal(1, tables.Verify().DamagedSegments);
        Assert.True(tables.Apply(WithTail(["10.244.0.1"], ["10.244.0.9"])).Complete);
        Assert.Equal(default, tables.Verify());
    }

    [Fact]
    public void A_frontend_outside_the_table_only_by_its_tail_is_broken()
    {
        var (kernel, _) = Open();
        kernel.Frontends[Key("10.96.0.1")] = new Svc(62, 1, 1, SvcFlags.None, 0, Tail: uint.MaxValue);
        Assert.Equal(1, new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time).Restored.Broken);
    }

    [Fact]
    public void Ranges_come_before_their_frontend_and_go_after_it()
    {
        var (kernel, tables) = Open();
        var log = new List<string>();
        kernel.AfterStep = () =>
            log.Add($"{kernel.Ranges.Count} ranges, {(kernel.Frontends.TryGetValue(Key("10.96.0.1"), out var svc) ? svc.Flags : null)}");
        tables.Apply(Ranged("192.0.2.0/24", "2001:db8::/32"));
        Assert.Equal(["1 ranges, ", "2 ranges, ", "2 ranges, ", "2 ranges, SourceRanges"], log);
        log.Clear();
        Assert.Equal((1, 1), (tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1")).FrontendsSwitched,
            log.Count(l => l == "2 ranges, None")));
        Assert.Equal("0 ranges, None", log[^1]);
    }

    [Fact]
    public void A_changed_list_is_written_before_the_old_one_goes_and_the_frontend_is_left_alone()
    {
        var (kernel, tables) = Open();
        tables.Apply(Ranged("192.0.2.0/24", "198.51.100.0/24"));
        var log = new List<int>();
        kernel.AfterStep = () => log.Add(kernel.Ranges.Count);
        var result = tables.Apply(Ranged("192.0.2.0/24", "203.0.113.0/24"));
        Assert.Equal((1, 1, 0, 0),
            (result.SourceRangesAdded, result.SourceRangesDeleted, result.FrontendsSwitched, result.SegmentsWritten));
        Assert.Equal([3, 2], log);
        Assert.Equal(2u, tables.Usage().SourceRanges.Entries);
    }

    [Fact]
    public void People_are_shown_what_the_tables_hold_and_no_more_than_they_ask_for()
    {
        var (kernel, tables) = Open();
        tables.Apply(Ranged("192.0.2.0/24", "198.51.100.0/24"));
        Assert.Equal(kernel.Ranges.Keys.Order(Comparer<SrangeKey>.Create((a, b) => a.Addr.CompareTo(b.Addr))),
            tables.ReadSourceRanges(new HashSet<uint> { 1 }).OrderBy(r => r.Addr));
        Assert.Empty(tables.ReadSourceRanges(new HashSet<uint> { 2 }));
        Assert.Equal(kernel.Frontends.Keys, tables.ReadFrontends().Select(f => f.Key));
        Assert.NotEmpty(tables.ReadServices((_, value) => value.ServiceId == 1));
        Assert.Empty(tables.ReadServices((_, value) => value.ServiceId == 2));
    }

    [Fact]
    public void A_range_is_a_prefix_of_mapped_addresses_behind_the_service_id()
    {
        var (kernel, tables) = Open();
        tables.Apply(Ranged("192.0.2.0/24", "2001:db8::/32"));
        Assert.Equal([64u, 152u], kernel.Ranges.Keys.Select(k => k.Prefixlen).Order());
        Assert.All(kernel.Ranges, r => Assert.Equal((1u, 1u), (r.Key.ServiceId.Host, r.Value.Allow)));
    }

    [Fact]
    public void A_service_whose_ranges_do_not_fit_keeps_what_it_had_and_names_the_option()
    {
        var kernel = new FakeKernel(64, 64, rangeCapacity: 2);
        var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        tables.Apply(Ranged("192.0.2.0/24"));
        var result = tables.Apply(Ranged("198.51.100.0/24", "203.0.113.0/24"));
        Assert.Equal("source-range-table-size", Assert.Single(result.Refusals).Option);
        Assert.Equal(Ranges("192.0.2.0/24"), kernel.Ranges.Keys);
        Assert.Equal(SvcFlags.SourceRanges, kernel.Frontends[Key("10.96.0.1")].Flags);
    }

    [Fact]
    public void A_range_that_cannot_be_written_keeps_its_frontend_from_being_switched()
    {
        var (kernel, tables) = Open();
        var open = Single("web", 1, "10.96.0.1", "10.244.0.1");
        tables.Apply(open);
        var failures = 1;
        kernel.NextFault = () => failures-- > 0 ? Fault.Fail : Fault.None;
        var result = tables.Apply(Ranged("192.0.2.0/24", "198.51.100.0/24"));
        Assert.Single(result.Errors);
        Assert.Equal(SvcFlags.None, kernel.Frontends[Key("10.96.0.1")].Flags);
        Assert.True(tables.Apply(Ranged("192.0.2.0/24", "198.51.100.0/24")).Complete);
        Assert.Equal(SvcFlags.SourceRanges, kernel.Frontends[Key("10.96.0.1")].Flags);
    }

    [Fact]
    public void Ranges_are_restored_and_foreign_ones_are_drift()
    {
        var (kernel, tables) = Open();
        var desired = Ranged("192.0.2.0/24", "198.51.100.0/24");
        tables.Apply(desired);
        var restarted = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        Assert.Equal(0, restarted.Apply(desired).KernelWrites);
        kernel.Ranges.Remove(Ranges("192.0.2.0/24").Single());
        kernel.Ranges.Add(Ranges("0.0.0.0/0").Single(), new Srange(1));
        Assert.Equal(new DriftReport(0, 0, 0, 0, SourceRanges: 2), restarted.Verify());
        var repair = restarted.Apply(desired);
        Assert.Equal((1, 1), (repair.SourceRangesAdded, repair.SourceRangesDeleted));
        Assert.Equal(default, restarted.Verify());
    }

    private static DesiredState WithTail(string[] backends, string[] tail) => State(
        [Segment("web", 1, backends) with { Tail = Segment("web", 1, tail).Backends }], [Frontend("web", 1, "10.96.0.1")]);

    private static DesiredState Ranged(params string[] prefixes)
    {
        var single = Single("web", 1, "10.96.0.1", "10.244.0.1");
        return State(single.Segments, single.Frontends.Select(f => f with { Flags = SvcFlags.SourceRanges }),
            prefixes.Select(p => Range(1, p)));
    }

    private static IEnumerable<SrangeKey> Ranges(params string[] prefixes) => prefixes.Select(p => SourceRangeMirror.Key(Range(1, p)));

    private (FakeKernel Kernel, ServiceDataplane Tables) Open()
    {
        var kernel = new FakeKernel(64, 64);
        return (kernel, new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time));
    }
}
