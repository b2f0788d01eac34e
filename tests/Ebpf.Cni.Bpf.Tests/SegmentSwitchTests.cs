using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A reader sees one set or the other. The two sets lie apart and differ in length, and everything around them is poison: an offset
/// of one with the count of the other would soon be seen.
/// </summary>
public sealed class SegmentSwitchTests
{
    private const int Switches = 5000;
    private const int Connections = 10000;
    private static readonly SvcKey Frontend = PodPrograms.Key(Address.At(Address.Vip4, 80), IpProtocol.Tcp);
    private static readonly Svc Small = new(0, 2, 1, SvcFlags.None, 0);
    private static readonly Svc Large = new(100, 7, 1, SvcFlags.None, 0);
    private static readonly Svc Mixture = new(0, 7, 1, SvcFlags.None, 0);

    [Fact]
    public void Switching_sets_under_load_never_yields_a_mixture()
    {
        using var pod = Prepared();
        var switches = 0;
        var enough = false;
        var writer = new Thread(() => Switch(pod, ref switches, ref enough));
        writer.Start();
        var rounds = 0;
        var (seen, poison) = ReadWhile(pod, () => rounds++ < Connections || Volatile.Read(ref switches) < Switches);
        Volatile.Write(ref enough, true);
        writer.Join();
        Console.WriteLine($"{switches} switches, {seen.Values.Sum()} connections, {seen.Count} backends met");
        Assert.Equal(0, poison);
        Assert.Equal(9, seen.Count);
    }

    [Fact]
    public void A_mixture_would_be_seen()
    {
        using var pod = Prepared();
        pod.Services.Update(Frontend, Mixture);
        var rounds = 0;
        var (_, poison) = ReadWhile(pod, () => rounds++ < 500);
        Assert.InRange(poison, 1, 500);
    }

    private static PodPrograms Prepared()
    {
        var pod = new PodPrograms().WithPods();
        for (var i = 0u; i < 400; i++)
            pod.Backends.Update(i, Backend("10.66.6.6"));
        for (var i = 0u; i < Small.Count; i++)
            pod.Backends.Update(Small.Offset + i, Backend($"10.2.1.{i}"));
        for (var i = 0u; i < Large.Count; i++)
            pod.Backends.Update(Large.Offset + i, Backend($"10.2.2.{i}"));
        pod.Services.Update(Frontend, Small);
        return pod;
    }

    private static Backend Backend(string address) => new(Addr.Parse(address), U16Be.FromHost(8080), BackendFlags.None, 1);

    // between the switches other frontends come and go, so that freed elements are used again at once, full of poison
    private static void Switch(PodPrograms pod, ref int switches, ref bool enough)
    {
        var others = Enumerable.Range(1, 8).Select(i => PodPrograms.Key(Address.At($"10.96.1.{i}", 80), IpProtocol.Tcp)).ToArray();
        for (var i = 0; !Volatile.Read(ref enough); i++)
        {
            pod.Services.Update(Frontend, i % 2 == 0 ? Large : Small);
            pod.Services.Update(others[i % others.Length], new Svc(200, 50, 2, SvcFlags.None, 0));
            pod.Services.Delete(others[(i + 4) % others.Length]);
            Volatile.Write(ref switches, i + 1);
        }
    }

    private static (Dictionary<string, int> Seen, int Poison) ReadWhile(PodPrograms pod, Func<bool> more)
    {
        var seen = new Dictionary<string, int>();
        var poison = 0;
        for (var port = 0; more(); port++)
        {
            var sent = pod.Send(new Packet { Src = Address.Client4, Dst = Address.Vip4, Sport = (ushort)port });
            var backend = new IPAddress(sent.Packet.AsSpan(30, 4)).ToString();
            if (backend.StartsWith("10.2.", StringComparison.Ordinal))
                seen[backend] = seen.GetValueOrDefault(backend) + 1;
            else
                poison++;
        }
        return (seen, poison);
    }
}
