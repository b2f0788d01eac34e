using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Services;

public class ServicePlannerTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void One_endpoint_more_is_one_segment_and_one_update()
    {
        var (kernel, tables) = Open();
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1", "10.244.0.2"));
        var result = tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1", "10.244.0.2", "10.244.0.3"));
        Assert.Equal(2, result.KernelWrites);
        Assert.Equal((1, 1), (result.SegmentsWritten, result.FrontendsSwitched));
        Assert.Equal((2, 2), (kernel.SegmentWrites, kernel.FrontendWrites));
    }

    [Fact]
    public void Frontends_of_a_service_port_share_a_segment_and_cost_one_update_each()
    {
        var (_, tables) = Open();
        var result = tables.Apply(TwoFrontends("10.244.0.1"));
        Assert.Equal((1, 2), (result.SegmentsWritten, result.FrontendsAdded));
        result = tables.Apply(TwoFrontends("10.244.0.2"));
        Assert.Equal((1, 2), (result.SegmentsWritten, result.FrontendsSwitched));
        Assert.Equal(1u, tables.Usage().Backends.Entries); // and one at rest
    }

    [Fact]
    public void A_further_frontend_of_a_served_segment_writes_no_segment()
    {
        var (_, tables) = Open();
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1"));
        var result = tables.Apply(TwoFrontends("10.244.0.1"));
        Assert.Equal((0, 1, 0), (result.SegmentsWritten, result.FrontendsAdded, result.FrontendsSwitched));
    }

    [Fact]
    public void No_endpoints_take_no_space_and_keep_the_frontend()
    {
        var (kernel, tables) = Open();
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1"));
        Assert.Equal(1, tables.Apply(Single("web", 1, "10.96.0.1")).KernelWrites);
        Assert.Equal(new Svc(0, 0, 1, SvcFlags.None, 0), kernel.Frontends[Key("10.96.0.1")]);
    }

    [Fact]
    public void The_phases_are_data_in_their_order()
    {
        var (_, tables) = Open();
        tables.Apply(Together(Single("old", 1, "10.96.0.1", "10.244.0.1"), Single("web", 2, "10.96.0.2", "10.244.0.2")));
        var plan = tables.Preview(
            Together(Single("new", 3, "10.96.0.3", "10.244.0.3"), Single("web", 2, "10.96.0.2", "10.244.0.4", "10.244.0.5")));
        Assert.Equal([3u, 2u], plan.Writes.Select(w => w.Segment.ServiceId).OrderDescending());
        Assert.Equal([(Key("10.96.0.2"), false), (Key("10.96.0.3"), true)], plan.Updates.Select(u => (u.Key, u.IsNew)).Order());
        Assert.Equal([Key("10.96.0.1")], plan.Deletes);
        Assert.Equal([1u, 2u], plan.Releases.Select(s => s.ServiceId).Order());
        Assert.Equal(2u, tables.Usage().Backends.Entries); // a preview reserves nothing
    }

    [Fact]
    public void A_service_that_does_not_fit_is_refused_whole_and_others_proceed()
    {
        var (kernel, tables) = Open(backends: 4);
        var old = Single("big", 1, "10.96.0.1", "10.244.0.1");
        tables.Apply(old);
        var grown = Single("big", 1, "10.96.0.1", "10.244.0.1", "10.244.0.2", "10.244.0.3", "10.244.0.4");
        var result = tables.Apply(Together(grown, Single("small", 2, "10.96.0.2", "10.244.0.9")));
        var refusal = Assert.Single(result.Refusals);
        Assert.Equal(
            "default/big: table ebc_backend_v1 has no room for 4 more entries (size 4); its former state stays in force. "
            + "Raise the backend-table-size option.",
            refusal.Message);
        Assert.Equal(LookupModel.Promise(old)[Key("10.96.0.1")], LookupModel.Lookup(kernel, Key("10.96.0.1")));
        Assert.NotEqual(LookupModel.Nobody, LookupModel.Lookup(kernel, Key("10.96.0.2")));
    }

    [Fact]
    public void A_refused_service_keeps_the_frontends_it_would_have_lost()
    {
        var (kernel, tables) = Open(backends: 4);
        tables.Apply(Single("big", 1, "10.96.0.1", "10.244.0.1"));
        var moved = State([Segment("big", 1, "10.244.0.1", "10.244.0.2", "10.244.0.3", "10.244.0.4")],
            [Frontend("big", 1, "10.96.0.1", 81)]);
        Assert.Single(tables.Apply(moved).Refusals);
        Assert.Equal([Key("10.96.0.1")], kernel.Frontends.Keys);
    }

    [Fact]
    public void Too_many_frontends_name_the_other_option()
    {
        var (kernel, tables) = Open(frontends: 2);
        var result = tables.Apply(Together(TwoFrontends("10.244.0.1"), Single("youngest", 2, "10.96.0.9", "10.244.0.2")));
        Assert.Equal("service-table-size", Assert.Single(result.Refusals).Option);
        Assert.Equal(2, kernel.Frontends.Count);
    }

    [Fact]
    public void A_full_frontend_table_makes_room_for_the_successor_in_the_same_apply()
    {
        var (kernel, tables) = Open(frontends: 1);
        tables.Apply(Single("old", 1, "10.96.0.1", "10.244.0.1"));
        var result = tables.Apply(Single("new", 2, "10.96.0.2", "10.244.0.2"));
        Assert.True(result.Complete);
        Assert.Equal([Key("10.96.0.2")], kernel.Frontends.Keys);
    }

    [Fact]
    public void What_a_full_frontend_table_refuses_is_not_waited_for_though_space_of_backends_rests()
    {
        var (_, tables) = Open(frontends: 1, backends: 8);
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1"));
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.2"));
        _time.Advance(TimeSpan.FromMinutes(1));
        var result = tables.Apply(Together(Single("web", 1, "10.96.0.1", "10.244.0.2"), Single("more", 2, "10.96.0.2", "10.244.0.3")));
        Assert.NotEmpty(result.Refusals);
        Assert.Null(result.RetryAfter);
    }

    [Fact]
    public void Space_that_only_rests_is_waited_for()
    {
        var (_, tables) = Open(backends: 2);
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.1"));
        tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.2"));
        var result = tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.3"));
        Assert.Empty(result.Refusals);
        Assert.Single(result.Waiting);
        Assert.False(result.Complete);
        _time.Advance(result.RetryAfter!.Value);
        Assert.True(tables.Apply(Single("web", 1, "10.96.0.1", "10.244.0.3")).Complete);
    }

    [Fact]
    public void Space_that_rests_is_waited_for_at_once_where_the_kernel_can_tell_when_nobody_reads_it()
    {
        var world = new ObservedWorld(8, 6, () => true);
        for (var i = 0; i < 50; i++)
            Assert.True(world.Apply(Single("web", 1, "10.96.0.1", $"10.244.{i}.1", $"10.244.{i}.2"))!.Complete);
        // the table holds three segments, so the kernel is asked with every second change, and never without need
        Assert.InRange(world.Waits, 1, 25);
        Assert.Equal(default, world.Tables.Verify());
    }

    [Fact]
    public void A_large_segment_is_written_whole_piece_by_piece()
    {
        var (kernel, tables) = Open(backends: 8192);
        var backends = Enumerable.Range(0, 3_000).Select(i => $"10.{244 + i / 2500}.{i / 250 % 10}.{i % 250}").ToArray();
        var desired = Single("web", 1, "10.96.0.1", backends);
        var result = tables.Apply(desired);
        Assert.Equal((1, 3_000, 3), (result.SegmentsWritten, result.BackendsWritten, kernel.SegmentWrites));
        Assert.Equal(LookupModel.Promise(desired)[Key("10.96.0.1")], LookupModel.Lookup(kernel, Key("10.96.0.1")));
        Assert.Equal(default, tables.Verify());
    }

    [Fact]
    public void A_change_that_is_told_of_is_found_without_looking_at_the_others()
    {
        var (kernel, tables) = Open(frontends: 4096, backends: 4096);
        var before = Together(
        [
            .. Enumerable.Range(0, 1_000).Select(i => Single($"s{i}", (uint)i + 1, $"10.96.{i / 250}.{i % 250 + 1}", "10.244.0.1")),
        ]);
        tables.Apply(before);
        var after = Single("s7", 8, "10.96.0.8", "10.244.0.2");
        // what is not told of is not noticed, even if it were different
        var told = new DesiredState { Ports = after.Ports, PortChanges = new(before.Ports, [Name("s7")]) };
        var result = tables.Apply(told);
        Assert.Equal((2, 0), (result.KernelWrites, result.FrontendsDeleted));
        Assert.Equal(1_000, kernel.Frontends.Count);
    }

    [Fact]
    public void A_state_that_contradicts_itself_is_not_applied()
    {
        var (kernel, tables) = Open();
        Assert.Throws<ArgumentException>(() => tables.Apply(State([], [Frontend("web", 1, "10.96.0.1")])));
        Assert.Equal(0, kernel.Steps);
    }

    private static DesiredState TwoFrontends(string backend) =>
        State([Segment("web", 1, backend)], [Frontend("web", 1, "10.96.0.1"), Frontend("web", 1, "192.0.2.1")]);

    private (FakeKernel Kernel, ServiceDataplane Tables) Open(uint frontends = 64, uint backends = 64)
    {
        var kernel = new FakeKernel(frontends, backends);
        return (kernel, new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time));
    }
}
