using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>A pod that encapsulates by itself: masqueraded, its packet would pass for its node's.</summary>
public sealed class TunnelForgeryWireTests
{
    private const int Port = 7777;

    /// <summary>The same frame from the node itself arrives: the control.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void What_a_pod_encapsulates_is_believed_by_no_node(bool v6)
    {
        using var town = new TunnelTown(v6, ConfigFlags.Masquerade);
        // an address of the other node by which its peers do not know it
        var other = v6 ? "fd00:60::99" : "192.168.60.99";
        using (var netlink = RouteNetlink.Open(town.Other.Namespace))
            netlink.AddAddress(town.Other.Uplink, IPAddress.Parse(other), v6 ? 64 : 24);
        using var victim = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Udp, Port);
        using var pod = Town.Caller(town.One.Pod, v6, ProtocolType.Udp);
        using var node = Town.Caller(town.One.Namespace, v6, ProtocolType.Udp);
        var end = IPEndPoint.Parse(Address.At(other, 8472));
        pod.SendTo(Encapsulated(v6, "the pod"), end);
        node.SendTo(Encapsulated(v6, "the node"), end);
        var heard = new byte[100];
        Assert.Equal("the node", System.Text.Encoding.ASCII.GetString(heard, 0, victim.Receive(heard)));
        Assert.Contains("PodEgress.TunnelPort=1", town.One.Programs.Counts(), StringComparison.Ordinal);
    }

    // VXLAN (RFC 7348) of network 1 around a datagram that says to come from outside
    private static byte[] Encapsulated(bool v6, string text)
    {
        var inner = new Packet
        {
            SrcMac = Macs.TunnelSender, DstMac = Macs.Tunnel,
            Src = v6 ? TunnelTown.Outside6 : TunnelTown.Outside4, Dst = Address.Remote(v6),
            Protocol = IpProtocol.Udp, Dport = Port, Payload = System.Text.Encoding.ASCII.GetBytes(text),
        };
        return [0x08, 0, 0, 0, 0, 0, 1, 0, .. inner.Bytes()];
    }
}
