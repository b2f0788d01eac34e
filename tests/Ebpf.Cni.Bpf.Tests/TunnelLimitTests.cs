using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>What does not go through a tunnel: too big, too far, and what others made up. Each with what does, beside it.</summary>
public sealed class TunnelLimitTests
{
    private const ushort Tunnel = 8472;
    private const ConfigFlags Usual = ConfigFlags.RedirectPeer | ConfigFlags.Masquerade;

    public static TheoryData<bool, bool> Families => new() { { false, false }, { false, true }, { true, false }, { true, true } };

    [Theory, MemberData(nameof(Families))]
    public void A_pod_with_a_larger_link_learns_what_fits_the_tunnel(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual, podMtu: 1500);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Tcp);
        using var client = Town.Caller(town.One.Pod, v6, ProtocolType.Tcp);
        client.Connect(server.LocalEndPoint!);
        using var accepted = server.Accept();
        Assert.Equal(1500, PathMtu(client, v6));
        Transfers.BothWays(client, accepted, 1024 * 1024);
        Assert.Equal((town.Mtu, town.Mtu), (PathMtu(client, v6), PathMtu(accepted, v6)));
        Assert.True(town.One.Programs.Count(Reason.TooBig) > 0, town.One.Programs.Counts());
    }

    [Theory, MemberData(nameof(Families))]
    public void Who_asks_a_node_port_from_outside_learns_what_fits_the_tunnel(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Tcp);
        town.One.Programs.AddService(Address.At(town.One.At(v6), 30080), IpProtocol.Tcp, server.LocalEndPoint!.ToString()!);
        using var client = Town.Caller(town.Outside, v6, ProtocolType.Tcp);
        client.Connect(IPEndPoint.Parse(Address.At(town.One.At(v6), 30080)));
        using var accepted = server.Accept();
        Assert.Equal(1500, PathMtu(client, v6));
        Transfers.BothWays(client, accepted, 1024 * 1024);
        // the pod's own limit is told in the handshake, and only for TCP
        Assert.InRange(PathMtu(client, v6), town.Mtu, 1500);
        Assert.DoesNotContain("Rewrite", town.One.Programs.Counts(), StringComparison.Ordinal);
    }

    /// <summary>
    /// Pods' packets that may be cut (IPv4 only), to a pod as they are and to a service; and from outside to a node port.
    /// </summary>
    [Theory]
    [InlineData(false, "plain"), InlineData(false, "service"), InlineData(false, "outside"), InlineData(true, "plain"),
        InlineData(true, "service"), InlineData(true, "outside")]
    public void A_datagram_that_may_be_cut_and_is_too_big_is_answered_and_the_next_one_arrives(bool underlay, string way)
    {
        using var town = new TunnelTown(underlay, Usual, podMtu: 1500);
        using var server = Town.Socket(town.Other.Pod, Address.Remote4, ProtocolType.Udp);
        var to = (IPEndPoint)server.LocalEndPoint!;
        if (way != "plain")
        {
            to = IPEndPoint.Parse(Address.At(way == "outside" ? town.One.At(v6: false) : Address.Vip4, 53));
            town.One.Programs.AddService(to.ToString(), IpProtocol.Udp, server.LocalEndPoint!.ToString()!);
        }
        using var client = Town.Caller(way == "outside" ? town.Outside : town.One.Pod, v6: false, ProtocolType.Udp);
        client.SetRawSocketOption(0, 10, [0, 0, 0, 0]); // IP_MTU_DISCOVER: IP_PMTUDISC_DONT
        client.Connect(to);
        var datagram = new byte[1472]; // with its headers what a link of 1500 takes
        var heard = new byte[2000];
        client.Send(datagram);
        Assert.True(SpinWait.SpinUntil(() => PathMtu(client, v6: false) == town.Mtu, TimeSpan.FromSeconds(10)),
            $"{PathMtu(client, v6: false)}; {town.One.Programs.Counts()}");
        client.Send(datagram); // in two pieces
        Assert.Equal(datagram.Length, server.Receive(heard));
        Assert.Equal(1UL, town.One.Programs.Count(Reason.TooBig, way == "outside" ? Hook.UplinkIngress : Hook.PodEgress));
    }

    [Theory, MemberData(nameof(Families))]
    public void Each_hop_tells_who_it_is(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual);
        Assert.Contains(town.One.At(v6), Hop(town.One.Pod, Address.Remote(v6), 1), StringComparison.Ordinal);
        Assert.Contains(town.Other.At(v6), Hop(town.One.Pod, Address.Remote(v6), 2), StringComparison.Ordinal);
        Assert.Contains("1 received", Hop(town.One.Pod, Address.Remote(v6), 3), StringComparison.Ordinal);
        Assert.Contains("1 received", Hop(town.One.Pod, town.Other.At(v6), 3), StringComparison.Ordinal);
        Assert.Contains("1 received", Hop(town.One.Namespace, Address.Remote(v6), 3), StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Families))]
    public void A_node_speaks_for_its_own_pods_and_nobody_else_does(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Udp, 5353);
        var (one, other) = (town.One, town.Other);
        // who encapsulates, whom the inner packet claims to be from, the network's number, and what is to become of it
        (NetworkNamespace Who, string Source, uint Vni, Reason? Drop)[] tries =
        [
            (one.Namespace, Address.Client(v6), 1, null),
            (one.Namespace, one.At(v6), 1, null),
            (town.Outside, Address.Client(v6), 1, Reason.TunnelPeer),
            (one.Namespace, Address.Client(v6), 2, Reason.TunnelPeer),
            (one.Namespace, other.At(v6), 1, Reason.TunnelSource),
            (one.Namespace, Address.Remote(v6), 1, Reason.TunnelSource),
            (one.Namespace, v6 ? "fd00:2::99" : "10.2.0.99", 1, Reason.TunnelSource),
            (one.Namespace, v6 ? "::1" : "127.0.0.1", 1, Reason.Loopback),
            (one.Namespace, v6 ? "fe80::1" : Address.Client4, 1, v6 ? Reason.LinkLocal : null),
            (one.Namespace, v6 ? TunnelTown.Outside6 : TunnelTown.Outside4, 1, null), // hands on what others say
        ];
        foreach (var (who, source, vni, drop) in tries)
        {
            var packet = new Packet
            {
                Src = source, Dst = Address.Remote(v6), Protocol = IpProtocol.Udp, Sport = 1234, Dport = 5353,
                    Payload = System.Text.Encoding.ASCII.GetBytes(source),
                SrcMac = Macs.TunnelSender, DstMac = Macs.Tunnel,
            };
            var dropped = drop is { } before ? other.Programs.Count(before, Hook.OverlayIngress) : 0;
            using var sender = Town.Caller(who, underlay, ProtocolType.Udp);
            sender.SendTo(Encapsulated(packet, vni), new IPEndPoint(IPAddress.Parse(other.At(underlay)), Tunnel));
            if (drop is { } reason)
            {
                Assert.True(
                    SpinWait.SpinUntil(() => other.Programs.Count(reason, Hook.OverlayIngress) == dropped + 1, TimeSpan.FromSeconds(10)),
                    $"{source}, network {vni}: {other.Programs.Counts()}");
                continue;
            }
            var heard = new byte[100];
            // And nothing that was dropped came before it
            Assert.Equal(source, System.Text.Encoding.ASCII.GetString(heard, 0, server.Receive(heard)));
        }
    }

    [Theory, MemberData(nameof(Families))]
    public void What_no_tunnel_leads_to_does_not_leave_and_is_counted(bool underlay, bool v6)
    {
        using var town = new TunnelTown(underlay, Usual);
        var stray = v6 ? "fd00:3::9" : "10.3.0.9";
        using (var netlink = Kernel.Netlink.RouteNetlink.Open(town.One.Namespace))
            netlink.AddRoute(new Kernel.Netlink.Route(IPNetwork.Parse(v6 ? "fd00:3::/64" : "10.3.0.0/16"), town.One.Device));
        using var client = Town.Caller(town.One.Namespace, v6, ProtocolType.Udp);
        client.SendTo("hello"u8, new IPEndPoint(IPAddress.Parse(stray), 53));
        Assert.Equal(1UL, town.One.Programs.Count(Reason.NoTunnel, Hook.OverlayEgress));
        client.SendTo("hello"u8, new IPEndPoint(IPAddress.Parse(Address.Remote(v6)), 53));
        Assert.Equal(1UL, town.One.Programs.Count(Reason.NoTunnel, Hook.OverlayEgress));
    }

    /// <summary>RFC 7348: flags with the bit of a valid network, reserved, 24 bits of network, reserved; then the frame.</summary>
    private static byte[] Encapsulated(Packet packet, uint vni)
    {
        var header = new byte[8];
        header[0] = 0x08;
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), vni << 8);
        return [.. header, .. packet.Bytes()];
    }

    private static string Hop(NetworkNamespace who, string whom, int ttl) => who.Run(() =>
    {
        using var ping = Process.Start(new ProcessStartInfo("ping", ["-n", "-c", "1", "-W", "5", "-t", $"{ttl}", whom])
            { RedirectStandardOutput = true })!;
        var said = ping.StandardOutput.ReadToEnd();
        ping.WaitForExit();
        return said;
    });

    // IP_MTU and IPV6_MTU
    private static int PathMtu(Socket socket, bool v6)
    {
        Span<byte> value = stackalloc byte[4];
        socket.GetRawSocketOption(v6 ? 41 : 0, v6 ? 24 : 14, value);
        return BinaryPrimitives.ReadInt32LittleEndian(value);
    }
}
