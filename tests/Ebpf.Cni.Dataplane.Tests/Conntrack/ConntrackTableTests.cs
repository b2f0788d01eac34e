using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Conntrack;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Conntrack;

/// <summary>On a real table, with a reaper that writes down what it is asked for.</summary>
public sealed class ConntrackTableTests : IDisposable
{
    // Less than any machine that runs tests is up
    private static readonly CtTimeouts Timeouts = CtTimeouts.Default with { Udp = 30, UdpStream = 120, Established = 200 };

    private readonly BpfMap _map;
    private readonly NotingReaper _reaper;
    private readonly ConntrackTable _table;
    private readonly ulong _now = (ulong)TimeProvider.System.GetTimestamp();

    public ConntrackTableTests()
    {
        Requires.Root();
        _map = BpfMap.Create(new("ebc_ct_test", BpfMapType.LruHash, 40, 88, 4096));
        _reaper = new NotingReaper(_map);
        _table = new ConntrackTable(BpfMap.Create(new("ebc_ct_tcp", BpfMapType.LruHash, 40, 88, 1024)), _map, null, _reaper, Timeouts,
            TimeProvider.System);
    }

    public void Dispose() => _table.Dispose();

    [Fact]
    public void Live_connections_are_counted_by_state_and_by_backend()
    {
        Add("10.244.0.1", 1000, 1, "10.244.0.9", CtState.Udp, packets: 3, replies: 2);
        Add("10.244.0.1", 1001, 1, "10.244.0.9", CtState.UdpStream, packets: 5, replies: 5);
        Add("10.244.0.2", 1000, 2, "10.244.0.8", CtState.Udp);
        Add("10.244.0.3", 1000, 0, "203.0.113.1", CtState.Icmp);
        var result = _table.Sweep();
        Assert.Equal((8, 0), (result.Entries, result.Reaped));
        Assert.Equal([(CtState.Udp, 2), (CtState.UdpStream, 1), (CtState.Icmp, 1)], result.ByState.Select(s => (s.Key, s.Value)));
        Assert.Equal(2, result.Live.Count);
        var stat = result.Live[new StatKey(Addr.Parse("10.244.0.9"), 1, U16Be.FromHost(53))];
        Assert.Equal(new Stat(2, 8, 800, 7, 700), stat);
        Assert.Equal(new ConntrackUsage(new(MapNames.ConntrackTcp, 0, 512), new(MapNames.ConntrackAny, 4, 2048)), result.Usage);
    }

    [Theory]
    [InlineData(CtState.Udp, 29, false)]
    [InlineData(CtState.Udp, 32, true)]
    [InlineData(CtState.UdpStream, 32, false)]
    [InlineData(CtState.UdpStream, 122, true)]
    [InlineData(CtState.Established, 190, false)]
    [InlineData(CtState.Established, 202, true)]
    [InlineData(CtState.Icmp, 32, true)]
    [InlineData((CtState)200, 1, true)] // garbage does not stay for ever
    public void What_was_idle_for_longer_than_its_state_allows_is_offered_to_the_reaper(CtState state, int idle, bool dead)
    {
        Add("10.244.0.1", 1000, 1, "10.244.0.9", state, idle);
        Assert.Equal((dead ? 2 : 0, dead ? 0 : 2), _table.Sweep() is var r ? (r.Reaped, r.Entries) : default);
        Assert.Equal(dead ? 2 : 0, _reaper.Asked.Count);
    }

    [Fact]
    public void Many_dead_ones_go_in_full_batches_while_the_table_is_read()
    {
        for (ushort port = 1; port <= 500; port++)
            Add("10.244.0.1", port, 1, "10.244.0.9", CtState.Udp, idle: 60);
        Add("10.244.0.2", 1, 1, "10.244.0.9", CtState.Udp);
        var result = _table.Sweep();
        Assert.Equal((1000, 2), (result.Reaped, result.Entries));
        Assert.Equal(1000, _reaper.Asked.Distinct().Count());
        Assert.All(_reaper.Batches.SkipLast(1), b => Assert.Equal(_reaper.Batch, b));
        Assert.Equal(2, _map.ReadAll<CtKey, Ct>().Count);
    }

    [Fact]
    public void An_entry_from_the_future_is_alive()
    {
        Add("10.244.0.1", 1000, 1, "10.244.0.9", CtState.Udp, idle: -60);
        Assert.Equal(2, _table.Sweep().Entries);
    }

    [Fact]
    public void Flows_to_a_backend_that_is_gone_are_purged_both_ways_and_no_others()
    {
        Add("10.244.0.1", 1000, 1, "10.244.0.9", CtState.Udp);
        Add("10.244.0.2", 1000, 1, "10.244.0.8", CtState.Udp);          // another backend
        Add("10.244.0.3", 1000, 2, "10.244.0.9", CtState.Udp);          // the same one, of another service
        Add("10.244.0.4", 1000, 1, "10.244.0.9", CtState.Established, proto: IpProtocol.Tcp);
        Add("10.244.0.5", 1000, 0, "10.244.0.9", CtState.Udp);          // no service
        Assert.Equal(0, _table.Purge([]));
        Assert.Equal(2, _table.Purge([new RemovedBackend(1, Addr.Parse("10.244.0.9"), U16Be.FromHost(53), IpProtocol.Udp)]));
        var left = _map.ReadAll<CtKey, Ct>();
        Assert.Equal(8, left.Count);
        Assert.DoesNotContain(left, e => e.Key.Src == Addr.Parse("10.244.0.1") || e.Value.Dst == Addr.Parse("10.244.0.1"));
        Assert.Empty(_reaper.Asked);
    }

    [Fact]
    public void Who_holds_most_is_told_first()
    {
        for (ushort port = 1; port <= 5; port++)
            Add("10.244.0.2", port, 7, "10.244.0.9", CtState.Udp, idle: port * 10);
        Add("10.244.0.1", 1, 7, "10.244.0.9", CtState.Udp);
        Add("10.244.0.1", 2, 0, "203.0.113.1", CtState.Udp);
        var top = _table.Top(1);
        Assert.Equal([new ClientHolding(Addr.Parse("10.244.0.2"), 5)], top.Clients);
        Assert.Equal([new ServiceHolding(7, 6)], top.Services);
        Assert.Equal(7u, top.Usage.Connections);
        Assert.Equal(2, _table.Top(10).Clients.Length);
        Assert.Empty(_table.Top(0).Clients);
    }

    [Fact]
    public void Usage_counts_by_itself_and_then_remembers_the_last_pass()
    {
        Add("10.244.0.1", 1, 1, "10.244.0.9", CtState.Udp);
        Assert.Equal(1u, _table.Usage().Connections);
        Add("10.244.0.1", 2, 1, "10.244.0.9", CtState.Udp);
        Assert.Equal(1u, _table.Usage().Connections);
        _table.Sweep();
        Assert.Equal(2u, _table.Usage().Connections);
    }

    private void Add(
        string client, ushort port, uint service, string backend, CtState state, int idle = 0, ulong packets = 1, ulong replies = 0,
        IpProtocol proto = IpProtocol.Udp)
    {
        Addr c = Addr.Parse(client), b = Addr.Parse(backend), front = Addr.Parse("10.96.0.1");
        U16Be sport = U16Be.FromHost(port), dport = U16Be.FromHost(53);
        var seen = _now - (ulong)((long)idle * 1_000_000_000);
        var common = new Ct { State = state, ServiceId = service, LastSeenNs = seen, CreatedNs = seen };
        _map.Update(new CtKey(c, front, sport, dport, proto),
            common with { Src = c, Dst = b, Sport = sport, Dport = dport, Packets = packets, Bytes = packets * 100,
            Flags = CtFlags.Service });
        _map.Update(new CtKey(b, c, dport, sport, proto),
            common with { Src = front, Dst = c, Sport = dport, Dport = sport, Packets = replies, Bytes = replies * 100,
            Flags = CtFlags.Service | CtFlags.Reply });
    }

    private sealed class NotingReaper(BpfMap map) : IReaper
    {
        public List<CtKey> Asked { get; } = [];

        public List<int> Batches { get; } = [];

        public int Batch => 64;

        public int Reap(ReadOnlySpan<CtKey> keys)
        {
            Asked.AddRange(keys);
            Batches.Add(keys.Length);
            return map.DeleteBatch(keys);
        }
    }
}
