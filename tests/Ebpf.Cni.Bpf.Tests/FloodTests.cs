using System.Diagnostics;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>However many packets are refused: ICMP errors and ring buffer records are limited by rate, counters count all.</summary>
public sealed class FloodTests
{
    /// <summary>Answers, and records, in a second on each CPU; the burst is not larger.</summary>
    private const int Rate = 100;

    private const int Refused = 5_000, Forged = 100_000;

    private static Config Limited(ConfigFlags more) => new Config(PodPrograms.Usual | more) with { RefusalRate = Rate, RecordRate = Rate };

    [Theory, InlineData(false), InlineData(true)]
    public async Task Answers_to_a_flood_are_few_and_come_again_after_it(bool v6)
    {
        using var pod = new PodPrograms(Limited(ConfigFlags.None)).WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp);
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Udp }.Bytes();
        var clock = Stopwatch.StartNew();
        var answered = Enumerable.Range(0, Refused).Count(_ => pod.Send(request).ReturnValue == PodPrograms.Redirect);
        Assert.InRange(answered, 1, Bound(clock.Elapsed));
        Assert.Equal($"PodEgress.NoBackend={Refused}", pod.Counts());
        await Eventually.True(() => pod.Send(request).ReturnValue == PodPrograms.Redirect, "an answer after the flood");
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Records_of_a_flood_are_few_and_its_counter_has_all(bool v6)
    {
        using var pod = new PodPrograms(Limited(ConfigFlags.DropEvents)).WithPods();
        var records = 0;
        using var ring = new RingBuffer(pod.Events, _ => records++);
        ring.Poll(TimeSpan.Zero);
        records = 0;
        var clock = Stopwatch.StartNew();
        pod.Send(new Packet { Src = Address.Server(v6), Dst = Address.Vip(v6) }.Bytes(), Forged);
        var took = clock.Elapsed;
        ring.Poll(TimeSpan.Zero);
        Assert.InRange(records, 1, Bound(took));
        Assert.Equal($"PodEgress.SourceAddress={Forged}", pod.Counts());
    }

    [Theory, InlineData(false), InlineData(true)]
    public void One_refusal_is_answered_and_recorded(bool v6)
    {
        using var pod = new PodPrograms(Limited(ConfigFlags.DropEvents)).WithPods();
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp);
        var reasons = new List<Reason>();
        using var ring = new RingBuffer(pod.Events, record => reasons.Add(MemoryMarshal.Read<Event>(record).Reason));
        ring.Poll(TimeSpan.Zero);
        reasons.Clear();
        var request = new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Protocol = IpProtocol.Udp };
        bool Told() => pod.Send(request).ReturnValue == PodPrograms.Redirect && ring.Poll(TimeSpan.Zero) > 0;
        // the test before may have used up the budget of these programs
        Assert.True(SpinWait.SpinUntil(Told, TimeSpan.FromSeconds(5)), pod.Counts());
        Assert.Equal(Reason.NoBackend, reasons[^1]);
    }

    // burst, rate x time, and a second to spare
    private static int Bound(TimeSpan took) => (int)(BpfMap.PossibleCpus * Rate * (2 + Math.Ceiling(took.TotalSeconds)));
}
