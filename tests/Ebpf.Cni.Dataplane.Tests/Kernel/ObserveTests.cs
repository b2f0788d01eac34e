using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Observe;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

public sealed class ObserveTests : IDisposable
{
    private readonly Playground _ground = new();

    public void Dispose() => _ground.Dispose();

    [Fact]
    public async Task A_forged_source_address_is_counted_and_reported()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var events = dataplane.OpenEvents()!;
        Assert.All(dataplane.Counters.Read(), c => Assert.Equal(0ul, c.Packets));
        var egress = dataplane.Pods.Program(TcDirection.Ingress); // what a pod sends
        egress.TestRun(UdpPacket());
        var reading = Assert.Single(dataplane.Counters.Read(), c => c.Packets > 0);
        Assert.Equal((Reason.SourceAddress, Hook.PodEgress, 1ul), (reading.Reason, reading.Hook, reading.Packets));
        Assert.True(reading.IsDrop);

        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var drop = await events.Events.ReadAsync(limit.Token);
        Assert.Equal(("10.1.1.1", 1000, "10.2.2.2", 53),
            (drop.Source.ToString(), drop.SourcePort, drop.Destination.ToString(), drop.DestinationPort));
        Assert.Equal((IpProtocol.Udp, Reason.SourceAddress, Hook.PodEgress), (drop.Protocol, drop.Reason, drop.Hook));
        Assert.Equal(0, events.Lost);
    }

    /// <summary>Records come one at a time, as in a flood, and are read many at a time.</summary>
    [Fact]
    public async Task A_flood_of_drops_wakes_the_reader_a_few_times()
    {
        const int Wanted = 400;
        using var dataplane = NodeDataplane.Open(_ground.Options);
        using var events = dataplane.OpenEvents()!;
        var egress = dataplane.Pods.Program(TcDirection.Ingress);
        var (heard, clock) = (0, Stopwatch.StartNew());
        await Eventually.True(
            () =>
            {
                egress.TestRun(UdpPacket());
                while (events.Events.TryRead(out _))
                    heard++;
                return heard >= Wanted;
            },
            "the records");
        Assert.InRange(events.Reads, 1, (clock.Elapsed / EventReader.Rest) + 2);
        Assert.Equal(0, events.Lost);
    }

    [Fact]
    public void Without_drop_events_only_the_counter_moves()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options with { DropEvents = false });
        using (var events = dataplane.OpenEvents()!)
        {
            dataplane.Pods.Program(TcDirection.Ingress).TestRun(UdpPacket());
            Assert.Equal(1ul, dataplane.Counters.Read().Single(c => c is { Reason: Reason.SourceAddress, Hook: Hook.PodEgress }).Packets);
            Assert.False(events.Events.TryRead(out _));
        }
    }

    [Fact]
    public void Disposing_ends_the_stream()
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var events = dataplane.OpenEvents()!;
        events.Dispose();
        Assert.True(events.Events.Completion.IsCompletedSuccessfully);
    }

    private static byte[] UdpPacket() =>
    [
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00,
        0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0x62, 0xc8, 10, 1, 1, 1, 10, 2, 2, 2,
        1000 >> 8, 1000 & 0xff, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4,
    ];
}
