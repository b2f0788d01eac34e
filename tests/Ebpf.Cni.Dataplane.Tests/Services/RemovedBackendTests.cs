using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Services;

public class RemovedBackendTests
{
    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(IpProtocol.Udp, true)]
    [InlineData(IpProtocol.Sctp, true)]
    [InlineData(IpProtocol.Tcp, false)]
    public void Who_left_is_told_unless_connections_end_by_themselves(IpProtocol protocol, bool told)
    {
        var (_, tables) = Open();
        Assert.Empty(tables.Apply(Dns(protocol, ["10.244.0.1", "10.244.0.2"])).RemovedBackends);
        var gone = tables.Apply(Dns(protocol, ["10.244.0.2", "10.244.0.3"])).RemovedBackends;
        Assert.Equal(told ? [Gone("10.244.0.1", protocol)] : [], gone);
    }

    [Fact]
    public void Who_moves_into_the_tail_still_serves_and_is_told_when_he_leaves_that()
    {
        var (_, tables) = Open();
        tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1", "10.244.0.2"]));
        Assert.Empty(tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.2"], ["10.244.0.1"])).RemovedBackends);
        Assert.Equal([Gone("10.244.0.1")], tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.2"])).RemovedBackends);
    }

    [Fact]
    public void Who_is_in_another_list_of_the_same_port_still_serves()
    {
        var (_, tables) = Open();
        tables.Apply(TwoLists(["10.244.0.1"], ["10.244.0.1"]));
        Assert.Empty(tables.Apply(TwoLists(["10.244.0.1"], ["10.244.0.2"])).RemovedBackends);
        Assert.Equal([Gone("10.244.0.1")], tables.Apply(TwoLists(["10.244.0.2"], ["10.244.0.2"])).RemovedBackends);
    }

    [Fact]
    public void No_endpoints_any_more_and_no_service_any_more_are_told()
    {
        var (_, tables) = Open();
        tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1"], ["10.244.0.2"]));
        Assert.Equal([Gone("10.244.0.1"), Gone("10.244.0.2")], tables.Apply(Dns(IpProtocol.Udp, [])).RemovedBackends.OrderBy(g => g.Addr));
        tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1"]));
        Assert.Equal([Gone("10.244.0.1")], tables.Apply(DesiredState.Empty).RemovedBackends);
    }

    [Fact]
    public void What_left_while_no_agent_ran_is_told_by_the_tables_of_the_last_one()
    {
        var (kernel, tables) = Open();
        tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1", "10.244.0.2"]));
        var restarted = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
        Assert.Equal([Gone("10.244.0.1")], restarted.Apply(Dns(IpProtocol.Udp, ["10.244.0.2"])).RemovedBackends);
    }

    [Fact]
    public void What_sockets_were_led_to_and_serves_no_more_is_told_once_after_a_start()
    {
        var (_, tables) = Open();
        tables.Reached = () => [Gone("10.244.0.1"), Gone("10.244.0.9"), Gone("10.244.0.8") with { ServiceId = 7 }];
        var desired = Dns(IpProtocol.Udp, ["10.244.0.1"]);
        Assert.Equal([Gone("10.244.0.9"), Gone("10.244.0.8") with { ServiceId = 7 }], tables.Apply(desired).RemovedBackends);
        Assert.Empty(tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1"])).RemovedBackends);
    }

    [Fact]
    public void A_switch_that_failed_has_taken_nobody_out()
    {
        var (kernel, tables) = Open();
        tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.1"]));
        kernel.NextFault = () => kernel.SegmentWrites < 2 ? Fault.None : Fault.Fail;
        Assert.Empty(tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.2"])).RemovedBackends);
        kernel.NextFault = () => Fault.None;
        Assert.Equal([Gone("10.244.0.1")], tables.Apply(Dns(IpProtocol.Udp, ["10.244.0.2"])).RemovedBackends);
    }

    /// <summary>Over any history: who served before an apply that succeeded, and serves no more, is told; nobody else is.</summary>
    [Fact]
    public void Random_histories_tell_exactly_the_difference()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 50; round++)
        {
            var kernel = new FakeKernel(64, 4096);
            var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time);
            var before = new HashSet<RemovedBackend>();
            for (var step = 0; step < 15; step++)
            {
                var desired = Udp(DesiredStates.Random(random));
                var result = tables.Apply(desired);
                Assert.True(result.Complete);
                var used = desired.Frontends.Select(f => f.Segment).ToHashSet();
                var after = desired.Segments.Where(s => used.Contains(s.Key)).SelectMany(
                    s => s.Backends.Concat(s.Tail).Select(b => new RemovedBackend(s.Key.ServiceId, b.Addr, b.Port, IpProtocol.Udp)))
                        .ToHashSet();
                Assert.Equal(before.Except(after).ToHashSet(), result.RemovedBackends.ToHashSet());
                Assert.Equal(result.RemovedBackends.Length, result.RemovedBackends.Distinct().Count());
                before = after;
            }
        }
    }

    private static DesiredState Udp(DesiredState state) => State(
        state.Segments.Select(s => s with { Owner = s.Owner with { Protocol = IpProtocol.Udp } }),
        state.Frontends.Select(f => f with { Owner = f.Owner with { Protocol = IpProtocol.Udp } }));

    private static DesiredState Dns(IpProtocol protocol, string[] backends, string[]? tail = null)
    {
        var owner = Name("dns") with { Protocol = protocol };
        return State(
            [Segment("dns", 1, backends) with { Owner = owner, Tail = tail is null ? [] : Segment("dns", 1, tail).Backends }],
            [Frontend("dns", 1, "10.96.0.1") with { Owner = owner, Key = Key("10.96.0.1") with { Proto = protocol } }]);
    }

    private static DesiredState TwoLists(string[] cluster, string[] local)
    {
        var state = Dns(IpProtocol.Udp, cluster);
        var segment = new SegmentKey(1, SegmentVariant.LocalIPv4);
        return State(
            [.. state.Segments, Segment("dns", 1, local) with { Key = segment, Owner = state.Segments[0].Owner }],
            [.. state.Frontends, state.Frontends[0] with
                { Segment = segment, Key = state.Frontends[0].Key with { Scope = Scope.External } }]);
    }

    private static RemovedBackend Gone(string address, IpProtocol protocol = IpProtocol.Udp) =>
        new(1, Addr.Parse(address), U16Be.FromHost(8080), protocol);

    private (FakeKernel Kernel, ServiceDataplane Tables) Open()
    {
        var kernel = new FakeKernel(64, 64);
        return (kernel, new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, _time));
    }
}
