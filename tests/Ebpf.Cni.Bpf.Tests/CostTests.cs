using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What a packet costs in the program alone; printed, never asserted.</summary>
public sealed class CostTests
{
    private const int Repeat = 200_000;

    [Theory, InlineData(false), InlineData(true)]
    public void The_price_of_a_packet_is_printed(bool v6)
    {
        using var pod = new PodPrograms().WithPods();
        // a repeated run gets the packet that the last one left: the backend is the service's own address, so nothing changes
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Tcp, Address.At(Address.Vip(v6), 80));
        var elsewhere = new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6), Flags = TcpFlags.Data };
        Assert.Equal(PodPrograms.Ok, pod.Send(elsewhere with { Dst = Address.Vip(v6), Flags = TcpFlags.Syn }).ReturnValue);
        foreach (var (what, packet) in new[] { ("to no service", elsewhere),
            ("to a service, connection known", elsewhere with { Dst = Address.Vip(v6) }) })
        {
            var result = pod.Send(packet.Bytes(), Repeat);
            Assert.Equal(PodPrograms.Ok, result.ReturnValue);
            SamePacket.Equal(packet, result.Packet);
            Console.WriteLine($"{(v6 ? "IPv6" : "IPv4")} {what}: {result.NanosecondsPerRun} ns");
        }
        Assert.Equal($"PodEgress.Forwarded={Repeat} PodEgress.Service={Repeat + 1}", pod.Counts());
        pod.SetOverlay(88, 1450);
        pod.AddTunnelled(Address.Remote(v6) + (v6 ? "/128" : "/32"), IpcacheFlags.Pod, "192.0.2.78");
        Console.WriteLine($"{(v6 ? "IPv6" : "IPv4")} on the tunnel's device: {pod.Pack(elsewhere.Bytes(), Repeat).NanosecondsPerRun} ns");
    }
}
