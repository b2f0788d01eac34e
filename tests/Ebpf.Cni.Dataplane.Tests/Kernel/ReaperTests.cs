using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>The sweep with the real program.</summary>
public sealed class ReaperTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void What_is_dead_goes_with_its_twin_and_its_counts_go_to_the_backend()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.ConntrackAny));
        Add(map, 1000, idle: 60);
        Add(map, 1001, idle: 0);
        var sweep = dataplane.Conntrack.Sweep();
        Assert.Equal((2, 1), (sweep.Entries, sweep.Reaped));
        Assert.All(map.ReadAll<CtKey, Ct>(), e => Assert.Contains((ushort)1001, new[] { e.Key.Sport.Host, e.Key.Dport.Host }));
        var (key, stat) = Assert.Single(dataplane.Stats.Read());
        Assert.Equal((Addr.Parse("10.244.0.9"), 1u, 53), (key.Addr, key.ServiceId, key.Port.Host));
        Assert.Equal((3ul, 300ul, 2ul, 200ul), (stat.PacketsTo, stat.BytesTo, stat.PacketsFrom, stat.BytesFrom));
        Assert.Equal((1ul, 3ul), (sweep.Live[key].Connections, sweep.Live[key].PacketsTo));
    }

    [Fact]
    public void What_was_refreshed_since_it_was_read_lives_on()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.ConntrackAny));
        Add(map, 1000, idle: 0);
        // an hour ahead everything looks dead to the agent, and the kernel knows better
        using var early = NodeDataplane.Open(_ground.Options, new HourAhead());
        Assert.Equal((0, 0), early.Conntrack.Sweep() is var sweep ? (sweep.Entries, sweep.Reaped) : default);
        Assert.Equal(2, map.ReadAll<CtKey, Ct>().Count);
    }

    private static void Add(BpfMap map, ushort port, int idle)
    {
        Addr client = Addr.Parse("10.244.0.1"), backend = Addr.Parse("10.244.0.9"), front = Addr.Parse("10.96.0.1");
        U16Be sport = U16Be.FromHost(port), dport = U16Be.FromHost(53);
        var seen = (ulong)TimeProvider.System.GetTimestamp() - ((ulong)idle * 1_000_000_000);
        var common = new Ct { State = CtState.Udp, ServiceId = 1, LastSeenNs = seen, CreatedNs = seen };
        map.Update(
            new CtKey(client, front, sport, dport, IpProtocol.Udp),
            common with { Src = client, Dst = backend, Sport = sport, Dport = dport, Packets = 3, Bytes = 300, Flags = CtFlags.Service });
        map.Update(
            new CtKey(backend, client, dport, sport, IpProtocol.Udp),
            common with { Src = front, Dst = client, Sport = dport, Dport = sport, Packets = 2, Bytes = 200,
                Flags = CtFlags.Service | CtFlags.Reply });
    }

    private sealed class HourAhead : TimeProvider
    {
        public override long GetTimestamp() => System.GetTimestamp() + (3600 * TimestampFrequency);
    }
}
