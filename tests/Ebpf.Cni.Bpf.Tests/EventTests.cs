using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Drops tell who, where and why.</summary>
public sealed class EventTests
{
    [Theory, InlineData(false), InlineData(true)]
    public void A_drop_is_one_event_with_everything_about_it(bool v6)
    {
        using var pod = new PodPrograms(PodPrograms.Usual | ConfigFlags.DropEvents).WithPods();
        var service = pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp);
        var events = new List<Event>();
        using var ring = new RingBuffer(pod.Events, record => events.Add(MemoryMarshal.Read<Event>(record)));

        var refused = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Udp };
        pod.Send(refused);
        pod.Send(refused with { Src = Address.Server(v6), Protocol = IpProtocol.Tcp });
        pod.Send(refused with { Dst = Address.Remote(v6) }); // passes: no event
        Assert.Equal(2, ring.Poll(TimeSpan.Zero));

        var first = events[0];
        Assert.Equal(
            new Event(
                first.TimeNs, Addr.Parse(refused.Src), Addr.Parse(refused.Dst), U16Be.FromHost(40000), U16Be.FromHost(80),
                PodPrograms.ClientIfindex,
                ServiceId: 1, (uint)refused.Bytes().Length, IpProtocol.Udp, Reason.NoBackend, Hook.PodEgress),
            first);
        Assert.Equal(Addr.Parse(Address.Vip(v6)), service.Addr);
        Assert.True(first.TimeNs > 0 && events[1].TimeNs >= first.TimeNs);
        Assert.Equal((Reason.SourceAddress, IpProtocol.Tcp, 0u), (events[1].Reason, events[1].Proto, events[1].ServiceId));
    }

    [Fact]
    public void Without_the_flag_drops_are_counted_only()
    {
        using var pod = new PodPrograms().WithPods();
        using var ring = new RingBuffer(pod.Events, _ => Assert.Fail("an event came"));
        pod.Send(new Packet { Src = Address.Server4, Dst = Address.Vip4 });
        Assert.Equal(0, ring.Poll(TimeSpan.Zero));
        Assert.Equal("PodEgress.SourceAddress=1", pod.Counts());
    }
}
