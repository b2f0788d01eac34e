using System.Net;
using System.Net.Sockets;
using System.Text;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Whole frames from the network, with sources that are not their sender's.</summary>
public sealed class UplinkForgeryWireTests
{
    private const int Port = 7777;

    [Theory, InlineData(false), InlineData(true)]
    public void A_frame_with_the_nodes_or_a_pods_source_does_not_reach_a_pod(bool v6)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        town.Programs.AddCluster(v6 ? "fd00:1::/64" : "10.1.0.0/16", IpcacheFlags.Pod | IpcacheFlags.Local);
        town.Programs.AddCluster(Town.NodeAddress(v6) + (v6 ? "/128" : "/32"), IpcacheFlags.Node | IpcacheFlags.Local);
        using var victim = Town.Socket(town.Server, Address.Server(v6), ProtocolType.Udp, Port);
        var (own, there) = (Mac(town.Node), Mac(town.Outside));
        using var wire = town.Outside.Run(() => FrameSocket.Open(Eth(town.Outside).Index));
        // the last is the control
        foreach (var source in new[] { Town.NodeAddress(v6), Address.Client(v6), Town.OutsideAddress(v6) })
            wire.Send(new Packet
            {
                SrcMac = there, DstMac = own, Src = source, Dst = Address.Server(v6),
                Protocol = IpProtocol.Udp, Dport = Port, Payload = Encoding.ASCII.GetBytes(source),
            }.Bytes());
        var heard = new byte[100];
        EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        var length = victim.ReceiveFrom(heard, ref from);
        Assert.Equal(Town.OutsideAddress(v6), Encoding.ASCII.GetString(heard, 0, length));
        Assert.Equal(Town.OutsideAddress(v6), ((IPEndPoint)from).Address.ToString());
        Assert.Contains("UplinkIngress.UplinkSource=2", town.Programs.Counts(), StringComparison.Ordinal);
    }

    private static MacAddr Mac(Kernel.Namespaces.NetworkNamespace where) => MacAddr.FromBytes(Eth(where).Mac);

    private static LinkInfo Eth(Kernel.Namespaces.NetworkNamespace where)
    {
        using var netlink = RouteNetlink.Open(where);
        return netlink.FindLink("eth0")!;
    }
}
