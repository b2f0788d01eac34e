using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
using static Ebpf.Cni.Agent.Tests.Observe.Known;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>Frontends of the kernel beside what was applied.</summary>
public class ServiceListingTests
{
    private static readonly SvcKey Front = new(Addr.Parse("10.96.0.1"), Port(80), IpProtocol.Tcp, Scope.Internal);
    private static readonly Backend Here = new(Addr.Parse("10.1.0.7"), Port(8080), BackendFlags.Local, 7);
    private static readonly Backend There = new(Addr.Parse("172.16.0.1"), Port(8080), BackendFlags.None, 7);
    private static readonly SegmentKey Segment = new(7, SegmentVariant.ClusterIPv4);

    private static readonly DesiredState Desired = new()
    {
        Ports = DesiredState.Empty.Ports.Add(Services[7], new DesiredPort(
            Services[7], 7,
            [
                new DesiredFrontend(
                    Front with { Port = Port(0), Proto = 0 }, new(7, SegmentVariant.None), Services[7], SvcFlags.Address, 0),
                new DesiredFrontend(Front, Segment, Services[7], SvcFlags.None, 0),
            ],
            [new DesiredSegment(Segment, Services[7], [Of(Here)]) { Tail = [Of(There)] }], [])),
    };

    private static readonly ServiceView Held = new(Front, new Svc(5, 1, 7, SvcFlags.None, 0, 1), [Here], [There], Sound: true);

    [Fact]
    public void A_frontend_as_applied_is_ok()
    {
        var line = Assert.Single(new ServiceListing(Names, Desired).All([Held], 10).Frontends);
        Assert.Equal(("default/web", "http", "10.96.0.1", 80, "TCP", "internal"),
            (line.Service, line.PortName, line.Address, line.Port, line.Protocol, line.Scope));
        Assert.Equal((1, 1, 1, "ok", 7u), (line.Backends, line.Local, line.Tail, line.State, line.ServiceId));
        Assert.Empty(line.Flags);
    }

    [Fact]
    public void What_differs_from_what_was_applied_shows()
    {
        var listing = new ServiceListing(Names, Desired);
        Assert.Equal("broken", State(Held with { Sound = false }));
        Assert.Equal("unexpected", State(Held with { Key = Front with { Port = Port(81) } }));
        Assert.Equal("different", State(Held with { Backends = [There] }));
        Assert.Equal("different", State(Held with { Tail = [] }));
        Assert.Equal("different", State(Held with { Value = Held.Value with { ServiceId = 8 } }));
        Assert.Equal("different", State(Held with { Value = Held.Value with { Flags = SvcFlags.DropEmpty } }));
        Assert.Equal("different", State(Held with { Value = Held.Value with { AffinitySec = 1 } }));

        string State(ServiceView view) => Assert.Single(listing.All([view], 10).Frontends).State;
    }

    [Fact]
    public void A_service_says_who_serves_where_and_what_each_got()
    {
        var counts = BackendCounts.Of(
            new Dictionary<StatKey, Stat> { [Key(Here)] = new(5, 10, 1000, 20, 2000) },
            new Dictionary<StatKey, Stat> { [Key(Here)] = new(1, 1, 100, 2, 200), [Key(There)] = new(1, 0, 0, 0, 0) });
        var answer = new ServiceListing(Names, Desired).One(Web, [Held], [], counts, EndpointFact.Of(Cluster, Web));
        Assert.Equal(("default/web", 0), (answer.Service, answer.Missing.Count));
        var served = Assert.Single(answer.Frontends).Served;
        Assert.Equal([("10.1.0.7", "default/web-1", "n1", true, false), ("172.16.0.1", "", "n2", false, true)],
            served.Select(b => (b.Address, b.Pod, b.Node, b.Local, b.Tail)));
        Assert.Equal((5ul, 11ul, 1100ul, 22ul, 2200ul),
            (served[0].Connections, served[0].PacketsTo, served[0].BytesTo, served[0].PacketsFrom, served[0].BytesFrom));
        Assert.Equal(1ul, served[1].Connections);
    }

    [Theory]
    [InlineData(true, false, "not chosen")]
    [InlineData(false, false, "not ready")]
    [InlineData(false, true, "terminating")]
    [InlineData(true, true, "terminating")]
    [InlineData(null, false, "gone")]
    public void A_backend_that_gets_nothing_new_says_why(bool? ready, bool terminating, string state)
    {
        var facts = new Dictionary<Addr, EndpointFact>();
        if (ready is { } known)
            facts[There.Addr] = new EndpointFact("n2", known, terminating);
        var served = Assert.Single(new ServiceListing(Names, Desired).One(Web, [Held], [], Nothing, facts).Frontends).Served;
        Assert.Equal(["serving", state], served.Select(b => b.State));
    }

    [Fact]
    public void Flags_ranges_and_affinity_are_told()
    {
        var view = Held with
        {
            Key = Front with { Scope = Scope.External },
            Value = Held.Value with { Flags = SvcFlags.SourceRanges | SvcFlags.KeepSource | SvcFlags.DropEmpty, AffinitySec = 60 },
        };
        ImmutableArray<SrangeKey> ranges =
        [
            new(32 + 96 + 24, U32Be.FromHost(7), Addr.Parse("198.51.100.0")), new(32 + 64, U32Be.FromHost(7), Addr.Parse("2001:db8::")),
                new(32, U32Be.FromHost(8), default),
        ];
        var detail = Assert.Single(
            new ServiceListing(Names, Desired).One(Web, [view], ranges, Nothing, EndpointFact.Of(Cluster, Web)).Frontends);
        Assert.Equal(["dropEmpty", "sourceRanges", "keepSource", "affinity"], detail.Flags);
        Assert.Equal((60u, "external"), (detail.AffinitySeconds, detail.Scope));
        Assert.Equal(["198.51.100.0/24", "2001:db8::/64"], detail.SourceRanges);
    }

    [Fact]
    public void What_should_be_in_the_kernel_and_is_not_is_missing_and_markers_are_not_missed()
    {
        var answer = new ServiceListing(Names, Desired).One(Web, [], [], Nothing, EndpointFact.Of(Cluster, Web));
        Assert.Equal("10.96.0.1:80/TCP internal", Assert.Single(answer.Missing));
        Assert.Empty(
            new ServiceListing(Names, Desired).One(new("default", "other"), [], [], Nothing, EndpointFact.Of(Cluster, Web)).Missing);
    }

    [Fact]
    public void Markers_are_told_from_frontends()
    {
        Assert.False(ServiceListing.IsRejectEntry(Front, Held.Value));
        Assert.True(ServiceListing.IsRejectEntry(Front with { Scope = Scope.Bind }, Held.Value));
        Assert.True(ServiceListing.IsRejectEntry(Front, Held.Value with { Flags = SvcFlags.Address }));
    }

    [Fact]
    public void A_listing_is_bounded_and_says_how_many_there_are()
    {
        var views = Enumerable.Range(1, 50).Select(i => Held with { Key = Front with { Port = Port((ushort)i) } }).ToImmutableArray();
        var answer = new ServiceListing(Names, Desired).All(views, 7);
        Assert.Equal((50, 7), (answer.Total, answer.Frontends.Count));
    }

    private static BackendCounts Nothing => BackendCounts.Of(new Dictionary<StatKey, Stat>(), null);

    private static DesiredBackend Of(Backend b) => new(b.Addr, b.Port, b.Flags);

    private static StatKey Key(Backend b) => new(b.Addr, b.ServiceId, b.Port);
}
