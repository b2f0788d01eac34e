using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Tunnel ends believe a node's address: what a pod sends to their UDP port is dropped, unless it is for a pod.</summary>
public sealed class TunnelPortTests
{
    private const int Device = 88, Mtu = 1450;
    private const string Node4 = "192.0.2.77", Node6 = "2001:db8::77", Peer4 = "192.0.2.78", Peer6 = "2001:db8::78";

    public static TheoryData<bool, ushort> Kinds => new() { { false, 8472 }, { true, 8472 }, { false, 4789 }, { true, 4789 } };

    [Theory, MemberData(nameof(Kinds))]
    public void A_pods_datagram_to_the_tunnel_port_of_what_is_no_pod_is_dropped(bool v6, ushort port)
    {
        using var pod = WithTunnel(port);
        Assert.Equal(NoPods(v6), NoPods(v6).Where(to => pod.Send(Datagram(v6, to, port)).ReturnValue == PodPrograms.Shot));
        Assert.Equal($"PodEgress.TunnelPort={NoPods(v6).Length}", pod.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void Options_and_extension_headers_do_not_hide_the_port(bool v6, ushort port)
    {
        using var pod = WithTunnel(port);
        var packet = Datagram(v6, NoPods(v6)[2], port) with
        {
            Options = v6 ? [] : [1, 1, 1, 1], Extensions = v6 ? [new Extension(60, new byte[6])] : [],
        };
        Assert.Equal(PodPrograms.Shot, pod.Send(packet).ReturnValue);
        Assert.Equal(PodPrograms.Shot, pod.Send(packet with { Payload = new byte[2000], Piece = new Piece(0, 1400, true, 7) }).ReturnValue);
        Assert.Equal("PodEgress.TunnelPort=2", pod.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_service_is_no_way_to_the_port(bool v6, ushort port)
    {
        using var pod = WithTunnel(port);
        foreach (var backend in NoPods(v6))
        {
            pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(backend, port));
            for (ushort sport = 1000; sport < 1003; sport++)
            {
                var sent = pod.Send(Datagram(v6, Address.Vip(v6), 80) with { Sport = sport });
                Assert.Equal((backend, PodPrograms.Shot), (backend, sent.ReturnValue));
            }
        }
        Assert.Equal($"PodEgress.TunnelPort={3 * NoPods(v6).Length}", pod.Counts());
    }

    /// <summary>The control.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void Other_ports_TCP_and_pods_are_reached(bool v6, ushort port)
    {
        using var pod = WithTunnel(port);
        foreach (var to in NoPods(v6))
        {
            Assert.NotEqual(PodPrograms.Shot, pod.Send(Datagram(v6, to, (ushort)(port + 1))).ReturnValue);
            Assert.NotEqual(PodPrograms.Shot, pod.Send(Datagram(v6, to, port) with { Protocol = IpProtocol.Tcp }).ReturnValue);
            Assert.NotEqual(PodPrograms.Shot, pod.Send(Datagram(v6, to, 53) with { Sport = port }).ReturnValue);
        }
        pod.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, Address.At(Address.Server(v6), port));
        foreach (var to in new[] { Address.Server(v6), Address.Remote(v6) })
            Assert.Equal(PodPrograms.Redirect, pod.Send(Datagram(v6, to, port)).ReturnValue);
        Assert.Equal(PodPrograms.Redirect, pod.Send(Datagram(v6, Address.Vip(v6), 80)).ReturnValue);
        Assert.DoesNotContain("TunnelPort", pod.Counts(), StringComparison.Ordinal);
    }

    // this node, its peer, an address of the peer that no table names, and an outside one
    private static string[] NoPods(bool v6) =>
        v6 ? [Node6, Peer6, "2001:db8::99", "2001:db8:1::7"] : [Node4, Peer4, "192.0.2.99", "198.51.100.7"];

    private static Packet Datagram(bool v6, string to, ushort port) =>
        new() { Src = Address.Client(v6), Dst = to, Protocol = IpProtocol.Udp, Dport = port };

    private static PodPrograms WithTunnel(ushort port)
    {
        var pod = new PodPrograms(PodPrograms.Usual | ConfigFlags.Masquerade).WithPods();
        pod.SetUplink(0, Node4, Node6);
        foreach (var v6 in new[] { false, true })
        {
            pod.AddCluster(v6 ? "fd00:1::/64" : "10.1.0.0/16", IpcacheFlags.Pod | IpcacheFlags.Local);
            pod.AddCluster(v6 ? Node6 + "/128" : Node4 + "/32", IpcacheFlags.Node | IpcacheFlags.Local);
            pod.AddTunnelled(v6 ? "fd00:2::/64" : "10.2.0.0/16", IpcacheFlags.Pod, Peer4);
            pod.AddTunnelled(v6 ? Peer6 + "/128" : Peer4 + "/32", IpcacheFlags.Node, Peer4);
        }
        pod.SetOverlay(Device, Mtu, port);
        return pod;
    }
}
