using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Observe;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Observe;
using static Ebpf.Cni.Agent.Tests.Observe.Known;

namespace Ebpf.Cni.Agent.Tests.Observe;

/// <summary>Pods, connections and prefixes with their names.</summary>
public class TableListingTests
{
    private static readonly Dictionary<int, string> Devices = new() { [12] = "ecni0" };

    [Fact]
    public void Pods_of_the_kernel_and_of_the_records_are_compared()
    {
        ImmutableArray<PodEndpoint> kernel = [Endpoint(3, 12, "10.1.0.7", "fd00:1::7"), Endpoint(4, 12, "10.1.0.8"),
            Endpoint(5, 99, "10.1.0.9"), Endpoint(6, 12, "10.1.0.66")];
        var answer = EndpointListing.Of(
            kernel, [Pod, Record(5, "default/five", "10.1.0.9"), Record(6, "default/six", "10.1.0.6"),
                Record(7, "default/seven", "10.1.0.5"), Record(8, "a/half", "10.1.0.4") with { Ready = false }],
            Devices, new ObserveQuery());
        Assert.Equal(
            [("", 4u, "unknown"), ("default/five", 5u, "no device"), ("default/seven", 7u, "missing"), ("default/six", 6u, "different"),
                ("default/web-1", 3u, "ok")],
            answer.Endpoints.Select(e => (e.Pod, e.Id, e.State)));
        var web = answer.Endpoints[^1];
        Assert.Equal(["10.1.0.7", "fd00:1::7"], web.Addresses);
        Assert.Equal(("ecni0", "02:00:00:00:00:01"), (web.Interface, web.Mac));
    }

    [Fact]
    public void Only_a_pod_with_a_rate_is_rate_limited()
    {
        // Another plugin's interface is reached through its queue in any case.
        var queued = Endpoint(3, 12, "10.1.0.7") with { Queued = true };
        var record = Record(3, "a/x", "10.1.0.7");
        Assert.False(Of(record with { Foreign = new ChainedInterface("veth1", "") }).Limited);
        Assert.True(Of(record with { Bandwidth = new Bandwidth(1, 1, 0, 0) }).Limited);
        Assert.True(Of(record with { Bandwidth = new Bandwidth(0, 0, 1, 1) }).Limited);

        EndpointLine Of(EndpointRecord pod) => Assert.Single(EndpointListing.Of([queued], [pod], Devices, new ObserveQuery()).Endpoints);
    }

    [Fact]
    public void Pods_are_narrowed_by_namespace_and_bounded()
    {
        ImmutableArray<PodEndpoint> kernel = [Endpoint(3, 12, "10.1.0.7"), Endpoint(4, 12, "10.1.0.8")];
        var records = new[] { Record(3, "a/x", "10.1.0.7"), Record(4, "ab/y", "10.1.0.8") };
        Assert.Equal("a/x", Assert.Single(
            EndpointListing.Of(kernel, records, Devices, new ObserveQuery { Namespace = "a" }).Endpoints).Pod);
        var one = EndpointListing.Of(kernel, records, Devices, new ObserveQuery { Limit = 1 });
        Assert.Equal((2, 1), (one.Total, one.Endpoints.Count));
    }

    [Fact]
    public void A_connection_has_names_at_both_ends()
    {
        var key = new CtKey(Addr.Parse("10.1.0.7"), Addr.Parse("10.96.0.1"), Port(4000), Port(80), IpProtocol.Tcp);
        var forward = new Ct
        {
            Src = key.Src, Dst = Addr.Parse("10.2.0.9"), Sport = key.Sport, Dport = Port(8080), State = CtState.Established, ServiceId = 7,
                Packets = 3, Bytes = 300,
        };
        var list = new ConnectionList(
            20,
            [
                new Connection(key, forward, forward with { Packets = 2, Bytes = 200 }, TimeSpan.FromSeconds(9.96), TimeSpan.FromSeconds(1),
                    false),
                new Connection(key with { Dst = Addr.Parse("fd00::9") }, forward with { ServiceId = 0, Src = Addr.Parse("192.168.0.1") },
                    null, default, default, true),
                new Connection(key, forward with { ServiceId = 99 }, null, default, default, false),
            ],
            new ConntrackUsage(new TableUsage("ebc_ct_tcp_v3", 30, 60), new TableUsage("ebc_ct_any_v3", 10, 40)));
        var answer = ConnectionListing.Of(list, Names);
        Assert.Equal((40u, 100u, 20), (answer.Entries, answer.Size, answer.Total));
        var web = answer.Connections[0];
        Assert.Equal(("TCP", "established", "10.1.0.7:4000", "default/web-1", "10.96.0.1:80"),
            (web.Protocol, web.State, web.Client, web.ClientPod, web.Destination));
        Assert.Equal(("default/web:http", "10.2.0.9:8080", "", "n2", web.Client),
            (web.Service, web.Backend, web.BackendPod, web.BackendNode, web.Source));
        Assert.Equal((10.0, 1.0, 3ul, 300ul, 2ul, 200ul),
            (web.AgeSeconds, web.IdleSeconds, web.PacketsTo, web.BytesTo, web.PacketsFrom, web.BytesFrom));
        Assert.Equal(("", "[fd00::9]:80", "192.168.0.1:4000", true),
            (answer.Connections[1].Service, answer.Connections[1].Destination, answer.Connections[1].Source,
            answer.Connections[1].Expired));
        Assert.Equal("(gone, id 99)", answer.Connections[2].Service);
    }

    [Fact]
    public void Connections_are_narrowed_by_client_and_service()
    {
        var (mine, other) = (new CtKey(Addr.Parse("10.1.0.7"), default, default, default, IpProtocol.Tcp),
            new CtKey(Addr.Parse("10.1.0.8"), default, default, default, IpProtocol.Tcp));
        var (web, none) = (new Ct { ServiceId = 7 }, new Ct());
        Assert.Equal((true, true, true, true), Wanted(new ObserveQuery()));
        Assert.Equal((true, true, false, false), Wanted(new ObserveQuery { Client = "10.1.0.7" }));
        Assert.Equal((true, true, false, false), Wanted(new ObserveQuery { Client = "default/web-1" }));
        Assert.Equal((true, false, true, false), Wanted(new ObserveQuery { Service = Web }));
        Assert.Throws<QueryException>(() => Wanted(new ObserveQuery { Client = "default/nobody" }));
        Assert.Throws<QueryException>(() => Wanted(new ObserveQuery { Service = new("default", "nothing") }));

        (bool, bool, bool, bool) Wanted(ObserveQuery query)
        {
            var filter = ConnectionFilter.Of(query, [Pod], Services);
            return (filter.Wants(mine, web), filter.Wants(mine, none), filter.Wants(other, web), filter.Wants(other, none));
        }
    }

    [Fact]
    public void Prefixes_belong_to_nodes()
    {
        ImmutableArray<KeyValuePair<IpcacheKey, Ipcache>> kernel =
        [
            new(new(64, Addr.Parse("fd00:1::")), new(IpcacheFlags.Pod)),
            new(new(96 + 24, Addr.Parse("10.2.0.0")), new(IpcacheFlags.Pod, 4, Addr.Parse("192.168.0.2"))),
            new(new(128, Addr.Parse("192.168.0.1")), new(IpcacheFlags.Node)),
            new(new(96 + 8, Addr.Parse("11.0.0.0")), new(IpcacheFlags.Exempt | IpcacheFlags.Pod)),
        ];
        var answer = IpcacheListing.Of(kernel, Names, 100, 10);
        Assert.Equal(
            [("10.2.0.0/24", "pod", "n2", "192.168.0.2"), ("11.0.0.0/8", "pod,exempt", "", null), ("192.168.0.1/32", "node", "n1", null),
                ("fd00:1::/64", "pod", "n1", null)],
            answer.Prefixes.Select(p => (p.Prefix, string.Join(',', p.Kinds), p.Node, p.Tunnel)));
        Assert.Equal((4, 2), IpcacheListing.Of(kernel, Names, 100, 2) is var two ? (two.Total, two.Prefixes.Count) : default);
    }

    private static PodEndpoint Endpoint(uint id, int ifindex, params string[] addresses) =>
        new(id, ifindex, MacAddr.Parse("02:00:00:00:00:01"), MacAddr.Parse("02:00:00:00:00:02"), [.. addresses.Select(Addr.Parse).Order()]);
}
