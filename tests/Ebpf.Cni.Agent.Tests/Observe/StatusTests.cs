using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Agent.Options;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Pods.Installation;
using Ebpf.Cni.Sync.State;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Agent.Tests.Observe.Known;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>The parts of a status, and how questions are read.</summary>
public class StatusTests
{
    [Fact]
    public void Everything_that_is_not_done_is_named()
    {
        var time = new FakeTimeProvider();
        var sync = new SyncStatus(time, TimeSpan.FromSeconds(60));
        Assert.Equal(3, SyncStatusReader.NotReady(sync, open: false).Count());
        Assert.Equal(["the cluster was not applied to the kernel yet", "CNI requests are not served yet"],
            SyncStatusReader.NotReady(sync, open: true));
        sync.Applied();
        sync.ServingCni();
        Assert.Empty(SyncStatusReader.NotReady(sync, open: true));
        Assert.Null(sync.Waiting);
        sync.Queued(time.GetTimestamp());
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(TimeSpan.FromSeconds(61), sync.Waiting);
        Assert.Equal(["a change waits for too long to get into the kernel"], SyncStatusReader.NotReady(sync, open: true));
        sync.PassBegins();
        time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(["the sync loop hangs in the kernel: its pass does not end"], SyncStatusReader.NotReady(sync, open: true));
    }

    [Fact]
    public void The_mode_is_spelled_as_the_options_are()
    {
        var options = new AgentOptions { SocketLb = SocketLbMode.HostOnly, CniMode = CniMode.Chained, Routing = RoutingMode.Direct,
            Masquerade = true, PodAttachment = PodAttachment.Clsact };
        var mode = StatusReader.ModeOf(options);
        // What leaves the cluster, and how other nodes are reached, is the other plugin's affair.
        Assert.Equal(("chained", "hostOnly", "none", false, "masquerade", "clsact"),
            (mode.Cni, mode.SocketLb, mode.Routing, mode.Masquerade, mode.ExternalSource, mode.PodAttachment));
        Assert.Equal(("direct", true), StatusReader.ModeOf(options with { CniMode = CniMode.Full }) is var full
            ? (full.Routing, full.Masquerade) : default);
    }

    [Fact]
    public void Services_ports_frontends_and_backends_are_counted_in_the_kernels_table()
    {
        var key = new SvcKey(Addr.Parse("10.96.0.1"), Port(80), IpProtocol.Tcp, Scope.Internal);
        KeyValuePair<SvcKey, Svc>[] kernel =
        [
            new(key, new Svc(10, 3, 7, SvcFlags.None, 0, 1)),
                new(key with { Scope = Scope.External }, new Svc(10, 3, 7, SvcFlags.None, 0, 1)),
            new(key with { Port = Port(81) }, new Svc(20, 2, 8, SvcFlags.None, 0)),
            new(key with { Port = Port(82) }, new Svc(0, 0, 99, SvcFlags.None, 0)),
            new(key with { Port = Port(0) }, new Svc(0, 0, 7, SvcFlags.Address, 0)),
            new(key with { Scope = Scope.Bind }, new Svc(0, 0, 7, SvcFlags.None, 0)),
        ];
        var counts = StatusReader.Counts(kernel, Services, endpoints: 5, connections: 6);
        Assert.Equal((3, 3, 4, 6, 5, 6),
            (counts.Services, counts.ServicePorts, counts.Frontends, counts.Backends, counts.Endpoints, counts.Connections));
    }

    [Fact]
    public void Drops_are_those_that_happened_most_first()
    {
        var drops = StatusReader.Drops(
        [
            new(Reason.Forwarded, Hook.PodEgress, 1000, 0), new(Reason.NoBackend, Hook.Socket, 2, 0),
                new(Reason.SourceAddress, Hook.PodEgress, 9, 0), new(Reason.Bind, Hook.Socket, 0, 0),
        ]);
        Assert.Equal([("source_address", "pod_egress", 9ul), ("no_backend", "socket", 2ul)],
            drops.Select(d => (d.Reason, d.Hook, d.Packets)));
    }

    [Fact]
    public void Questions_are_read()
    {
        var query = Query(("limit", "5"), ("namespace", "a"), ("service", "default/web"), ("client", "x"));
        Assert.Equal((5, "a", Web, "x"), (query.Limit, query.Namespace, query.Service, query.Client));
        Assert.Null(Query().Limit);
    }

    [Theory]
    [InlineData("limit", "0")]
    [InlineData("limit", "-1")]
    [InlineData("limit", "many")]
    [InlineData("limit", "100001")]
    [InlineData("service", "web")]
    [InlineData("service", "/web")]
    [InlineData("color", "red")]
    public void Questions_that_mean_nothing_are_refused(string name, string value) =>
        Assert.Throws<QueryException>(() => Query((name, value)));

    private static ObserveQuery Query(params (string Name, string Value)[] parameters) =>
        ObserveQuery.Of(new QueryCollection(
            parameters.ToDictionary(p => p.Name, p => new Microsoft.Extensions.Primitives.StringValues(p.Value))));
}
