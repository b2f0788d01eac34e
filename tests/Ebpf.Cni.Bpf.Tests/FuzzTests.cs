using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Whatever bytes come: what is passed untranslated is what came, and a translation changes addresses, ports and checksums, each
/// checksum by exactly as much as the rest.
/// </summary>
public sealed class FuzzTests
{
    private const int Packets = 30_000;
    private const string Node4 = "192.0.2.77", Node6 = "2001:db8::77";
    private static readonly ushort[] Ports = [80, 81, 82, 1000, 1001, 8080, 40000];
    private static readonly string[] Stations4 =
        [Address.Client4, Address.Server4, Address.Remote4, Address.Vip4, Node4, Address.Hairpin4, "192.0.2.9", "224.0.0.1", "127.0.0.1"];
    private static readonly string[] Stations6 =
        [Address.Client6, Address.Server6, Address.Remote6, Address.Vip6, Node6, Address.Hairpin6, "2001:db8::9", "ff02::1", "::1"];

    [Theory]
    [InlineData(Hook.PodEgress, ConfigFlags.None), InlineData(Hook.PodIngress, ConfigFlags.None)]
    [InlineData(Hook.UplinkIngress, ConfigFlags.None), InlineData(Hook.UplinkIngress, ConfigFlags.KeepSource)]
    [InlineData(Hook.HostEgress, ConfigFlags.None), InlineData(Hook.OverlayEgress, ConfigFlags.None)]
    public void Nothing_is_edited_out_of_place(Hook hook, ConfigFlags more)
    {
        using var pod = new PodPrograms(PodPrograms.Usual | ConfigFlags.Masquerade | more).WithPods();
        AddServices(pod);
        if (hook == Hook.OverlayEgress)
            AddTunnel(pod);
        Run(pod, hook);
        Console.WriteLine($"{hook}: {pod.Counts()}");
        var counted = Enum.GetValues<Reason>().Aggregate(0UL, (sum, reason) => sum + pod.Count(reason, hook));
        Assert.True(counted >= Packets, "a packet was not counted");
        var translated = pod.Count(hook == Hook.PodIngress ? Reason.Reply : Reason.Service, hook);
        Assert.True(translated > Packets / 100, "hardly anything was translated: " + pod.Counts());
    }

    [Fact]
    public void The_detector_sees_a_wrong_byte()
    {
        var packet = new Packet { Src = Address.Client4, Dst = Address.Vip4 };
        var translated = (packet with { Dst = Address.Remote4, Dport = 8080 }).Bytes();
        Judge(packet.Bytes(), translated, PodPrograms.Ok);
        foreach (var at in new[] { 16, 24, 38, 50, translated.Length - 1 })
        {
            var wrong = (byte[])translated.Clone();
            wrong[at] ^= 1;
            Assert.ThrowsAny<Exception>(() => Judge(packet.Bytes(), wrong, PodPrograms.Ok));
        }
    }

    private static void AddServices(PodPrograms pod)
    {
        // whichever device of this machine a route names
        for (var ifindex = 0; ifindex < 20; ifindex++)
            pod.SetUplink(ifindex, Node4, Node6);
        foreach (var v6 in new[] { false, true })
            foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp, IpProtocol.Sctp })
            {
                string[] backends = [Address.At(Address.Client(v6), 8080), Address.At(Address.Remote(v6), 80),
                    Address.At(Address.Remote(v6), 8080), Address.At(Address.Server(v6), 8080)];
                pod.AddService(Address.At(Address.Vip(v6), 80), protocol, backends);
                pod.AddService(Address.At(v6 ? Node6 : Node4, 80), protocol, backends);
                pod.AddService(Address.At(Address.Vip(v6), 81), protocol);
                pod.SetService(PodPrograms.Key(Address.At(Address.Vip(v6), 82), protocol), SvcFlags.DropEmpty);
            }
    }

    private static void AddTunnel(PodPrograms pod)
    {
        pod.SetOverlay(1, 1450);
        pod.AddTunnelled(Address.Remote4 + "/32", IpcacheFlags.Pod, "192.0.2.78");
        pod.AddTunnelled(Address.Remote6 + "/128", IpcacheFlags.Pod, "2001:db8::78");
    }

    private static BpfTestRunResult Pass(PodPrograms pod, Hook hook, byte[] packet) => hook switch
    {
        Hook.PodEgress => pod.Send(packet),
        Hook.PodIngress => pod.Receive(packet),
        Hook.UplinkIngress => pod.Arrive(packet),
        Hook.OverlayEgress => pod.Pack(packet),
        _ => pod.Leave(packet),
    };

    private static void Run(PodPrograms pod, Hook hook)
    {
        var random = new Random(Seed.Next());
        var packets = new RandomPackets(random, Stations4, Stations6, Ports,
            v6 => random.Next(2) == 0 ? Address.Vip(v6) : v6 ? Node6 : Node4);
        for (var i = 0; i < Packets; i++)
        {
            var v6 = random.Next(2) == 0;
            var client = Address.Client(v6);
            if (hook == Hook.PodIngress && random.Next(3) == 0)
                Learn(packets, packets.Next(v6, client, Macs.Client, Macs.Gateway), pod.Send);
            // test runs happen on the loopback device: what arrives there is sent to its MAC address
            var (from, to) = hook == Hook.OverlayEgress
                ? (Macs.TunnelSender, Macs.Tunnel) : (Macs.Client, hook == Hook.UplinkIngress ? default : Macs.Gateway);
            var packet = packets.Next(v6, hook == Hook.PodEgress ? client : null, from, to);
            var bytes = packet.Bytes();
            if (random.Next(3) == 0)
                bytes = Damage(bytes, random);
            var result = Pass(pod, hook, bytes);
            try
            {
                Judge(bytes, result.Packet, result.ReturnValue);
            }
            catch (Exception e)
            {
                Assert.Fail($"packet {i}, {packet}: {e.Message}\nbefore\n{SamePacket.Dump(bytes)}after "
                    + $"({result.ReturnValue})\n{SamePacket.Dump(result.Packet)}");
            }
            if (hook != Hook.PodIngress && result.ReturnValue != PodPrograms.Shot)
                Remember(packets, packet, result.Packet);
        }
    }

    private static void Learn(RandomPackets packets, Packet packet, Func<Packet, BpfTestRunResult> send) =>
        Remember(packets, packet, send(packet).Packet);

    // as it left: what answers and errors will be about
    private static void Remember(RandomPackets packets, Packet packet, byte[] sent)
    {
        var at = packet.IsV6 ? 22 : 26;
        var size = packet.IsV6 ? 16 : 4;
        if (packet.Protocol is not (IpProtocol.Tcp or IpProtocol.Udp or IpProtocol.Sctp) || packet.Piece is not null
            || Anatomy.Of(sent) is not { } after || after.Protocol != packet.Protocol || after.Transport + 4 > sent.Length)
            return;
        packets.Remember(packet with
        {
            Src = new IPAddress(sent.AsSpan(at, size)).ToString(), Dst = new IPAddress(sent.AsSpan(at + size, size)).ToString(),
            Sport = (ushort)(sent[after.Transport] << 8 | sent[after.Transport + 1]),
            Dport = (ushort)(sent[after.Transport + 2] << 8 | sent[after.Transport + 3]),
            Extensions = [], Options = [], Padding = 0,
        });
    }

    private static byte[] Damage(byte[] bytes, Random random)
    {
        var header = bytes[12] == 8 ? 34 : 54;
        if (random.Next(3) == 0)
            bytes = bytes[..random.Next(Math.Min(header, bytes.Length), bytes.Length + 1)];
        for (var count = random.Next(4); count > 0; count--)
            bytes[random.Next(12, bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    /// <summary>Fails if the packet that went on is not the one that came, or a translation of it.</summary>
    private static void Judge(byte[] before, byte[] after, uint verdict)
    {
        Assert.Contains(verdict, new[] { PodPrograms.Ok, PodPrograms.Shot, PodPrograms.Redirect });
        if (verdict == PodPrograms.Shot || before.AsSpan().SequenceEqual(after))
            return;
        var was = Anatomy.Of(before);
        var now = Anatomy.Of(after);
        Assert.NotNull(was);
        Assert.NotNull(now);
        if (now.IsError && !was.IsError && verdict == PodPrograms.Redirect)
        {
            // refused: a packet of our own making, about the one that came
            Assert.StartsWith("header 0 transport 0 ", now.Errors(), StringComparison.Ordinal);
            Assert.True(before.AsSpan(14).StartsWith(after.AsSpan(now.Transport + 8, now.End - now.Transport - 8)),
                "quotes something else");
            return;
        }
        Assert.Equal(before.Length, after.Length);
        var mask = new bool[before.Length];
        var redirected = verdict == PodPrograms.Redirect;
        was.MarkTranslated(mask, hop: redirected);
        if (redirected)
            Array.Fill(mask, true, 0, 12); // the next link's addresses
        for (var i = 0; i < mask.Length; i++)
            Assert.True(mask[i] || before[i] == after[i], $"byte {i} changed");
        Assert.Equal(was.Errors(), now.Errors());
    }
}
