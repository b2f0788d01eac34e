using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>Tables as people are shown them, in the kernel.</summary>
public sealed class ListingTests : IDisposable
{
    private static readonly Addr Client = Addr.Parse("10.244.0.1"), Backend = Addr.Parse("10.244.0.9"), Front = Addr.Parse("10.96.0.1");

    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public void The_connections_used_last_are_listed_with_what_their_answers_carried()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.ConntrackAny));
        for (ushort port = 1000; port < 1010; port++)
            Add(map, port, idle: 1009 - port, answered: port % 2 == 0);
        var list = dataplane.Conntrack.List(3, (_, _) => true);
        Assert.Equal((10, 8u), (list.Matching, list.Usage.Connections)); // 15 entries
        Assert.Equal([1009, 1008, 1007], list.Connections.Select(c => (int)c.Key.Sport.Host));
        var answered = list.Connections[1];
        Assert.Equal((3ul, 2ul, 200ul), (answered.Forward.Packets, answered.Reply!.Value.Packets, answered.Reply.Value.Bytes));
        Assert.Null(list.Connections[0].Reply);
        Assert.InRange(list.Connections[2].Idle.TotalSeconds, 1.9, 30);
        Assert.InRange(list.Connections[2].Age.TotalSeconds, 101.9, 130);
        Assert.False(list.Connections[2].Expired);
    }

    [Fact]
    public void Only_those_that_are_wanted_are_and_what_is_over_says_so()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.ConntrackAny));
        Add(map, 1000, idle: 0, answered: true);
        Add(map, 1001, idle: 60, answered: true);
        var over = Assert.Single(dataplane.Conntrack.List(10, (key, _) => key.Sport.Host == 1001).Connections);
        Assert.True(over.Expired);
        Assert.Empty(dataplane.Conntrack.List(10, (_, value) => value.ServiceId == 2).Connections);
        Assert.Equal(2, dataplane.Conntrack.List(0, (_, _) => true).Matching);
    }

    [Fact]
    public void Prefixes_are_listed_as_the_kernel_has_them()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        dataplane.Ipcache.Apply([new DesiredPrefix(Addr.Parse("10.244.1.0"), 24, IpcacheFlags.Pod, Addr.Parse("192.0.2.1")),
            new DesiredPrefix(Addr.Parse("192.0.2.1"), 32, IpcacheFlags.Node)], 7);
        using (var map = BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Ipcache)))
            map.Update(new IpcacheKey(64, Addr.Parse("fd00:9::")), new Ipcache(IpcacheFlags.Exempt)); // behind the agent's back
        Assert.Equal(
            [(new IpcacheKey(120, Addr.Parse("10.244.1.0")), 7u), (new IpcacheKey(128, Addr.Parse("192.0.2.1")), 0u),
                (new IpcacheKey(64, Addr.Parse("fd00:9::")), 0u)],
            dataplane.Ipcache.List().Select(e => (e.Key, e.Value.Ifindex)));
    }

    private static void Add(BpfMap map, ushort port, int idle, bool answered)
    {
        U16Be sport = U16Be.FromHost(port), dport = U16Be.FromHost(53);
        var seen = (ulong)TimeProvider.System.GetTimestamp() - ((ulong)idle * 1_000_000_000);
        var common = new Ct { State = CtState.Udp, ServiceId = 1, LastSeenNs = seen, CreatedNs = seen - 100_000_000_000 };
        map.Update(
            new CtKey(Client, Front, sport, dport, IpProtocol.Udp),
            common with { Src = Client, Dst = Backend, Sport = sport, Dport = dport, Packets = 3, Bytes = 300, Flags = CtFlags.Service });
        if (answered)
        {
            map.Update(
                new CtKey(Backend, Client, dport, sport, IpProtocol.Udp),
                common with { Src = Front, Dst = Client, Sport = dport, Dport = sport, Packets = 2, Bytes = 200,
                    Flags = CtFlags.Service | CtFlags.Reply });
        }
    }
}
