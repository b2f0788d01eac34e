using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>Paths of packets through a node, and the tables for them.</summary>
internal static class PacketCases
{
    public const ushort FrontPort = 80, NodePort = 30080, ManyNodePort = 30081, BackendPort = 8080;

    private const string RemotePods4 = "10.2.0.0/16";

    /// <summary>Enough for 65,536 flows: towards one backend a node has fewer source ports.</summary>
    private const int ManyBackends = 16;

    /// <summary>Writes pods, services and prefixes.</summary>
    /// <param name="tunnel">The other node's pods are behind the tunnel; else the routing table leads to them.</param>
    public static void Fill(TcObjects objects, MeasuredNode node, bool tunnel)
    {
        objects.SetNode(new NodeEnd(MeasuredNode.Node4, MeasuredNode.Node6, tunnel ? node.TunnelIfindex : 0, MeasuredNode.TunnelMtu));
        objects.SetUplink(node.UplinkIfindex, MeasuredNode.Node4, MeasuredNode.Node6);
        objects.AddService(
            Address.At(MeasuredNode.Node4, ManyNodePort), IpProtocol.Tcp,
            [.. Enumerable.Range(1, ManyBackends).Select(i => $"10.2.0.{i}:{BackendPort}")]);
        foreach (var v6 in new[] { false, true })
        {
            var (here, there, bits) = v6 ? ("fd00:1::/64", "fd00:2::/64", 128) : ("10.1.0.0/16", RemotePods4, 32);
            var by = tunnel ? node.TunnelIfindex : 0;
            objects.AddPod(Address.Client(v6), node.ClientIfindex, Macs.Client, Macs.Gateway);
            objects.AddPod(Address.Server(v6), node.ServerIfindex, Macs.Server, Macs.ServerGateway);
            objects.AddPrefix(here, IpcacheFlags.Pod | IpcacheFlags.Local);
            objects.AddPrefix($"{MeasuredNode.Node(v6)}/{bits}", IpcacheFlags.Node | IpcacheFlags.Local);
            objects.AddPrefix(there, IpcacheFlags.Pod, by, MeasuredNode.Peer4);
            objects.AddPrefix($"{MeasuredNode.Peer(v6)}/{bits}", IpcacheFlags.Node, by, MeasuredNode.Peer4);
            foreach (var protocol in new[] { IpProtocol.Tcp, IpProtocol.Udp })
            {
                objects.AddService(Address.At(Address.Vip(v6), FrontPort), protocol, Address.At(Address.Server(v6), BackendPort));
                objects.AddService(Address.At(MeasuredNode.Node(v6), NodePort), protocol, Address.At(Address.Remote(v6), BackendPort));
            }
        }
    }

    public static PacketCase PodToPod(MeasuredNode node, bool v6) => new(
        $"pod to pod, same node, TCP, {Family(v6)}", Place.Client(node),
        new Packet { Src = Address.Client(v6), Dst = Address.Server(v6), Dport = BackendPort, Flags = TcpFlags.Data },
        true, Only(Address.Server(v6)), BackendPort)
    {
        Answers = Place.Server(node),
        Frame = Macs.Server,
    };

    public static PacketCase PodToClusterIp(MeasuredNode node, bool v6) => new(
        $"pod to ClusterIP to pod, same node, TCP, {Family(v6)}", Place.Client(node),
        new Packet { Src = Address.Client(v6), Dst = Address.Vip(v6), Dport = FrontPort, Flags = TcpFlags.Data },
        true, Only(Address.Server(v6)), BackendPort)
    {
        Answers = Place.Server(node),
        Frame = Macs.Server,
    };

    /// <summary>By the routing table, or into the VXLAN device.</summary>
    public static PacketCase PodToRemote(MeasuredNode node, bool tunnel, bool v6) => new(
        $"pod to remote pod, {(tunnel ? "tunnel: pod egress" : "direct")}, TCP, {Family(v6)}", Place.Client(node),
        new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6), Dport = BackendPort, Flags = TcpFlags.Data },
        true, Only(Address.Remote(v6)), BackendPort)
    {
        Answers = tunnel ? Place.OutOfTunnel(node) : Place.Uplink(node),
    };

    /// <summary>The same packet at the VXLAN device.</summary>
    public static PacketCase IntoTunnel(MeasuredNode node, bool v6) => new(
        $"pod to remote pod, tunnel: overlay egress, {Family(v6)}", Place.IntoTunnel(node),
        new Packet { Src = Address.Client(v6), Dst = Address.Remote(v6), Dport = BackendPort, Flags = TcpFlags.Data, Ttl = 63 },
        false, Only(Address.Remote(v6)), BackendPort)
    {
        Frame = Macs.Tunnel,
    };

    /// <summary>An encapsulated packet of the other node.</summary>
    public static PacketCase Encapsulated(MeasuredNode node) => new(
        "remote pod to pod, tunnel: uplink ingress", Place.Uplink(node),
        new Packet
        {
            Src = MeasuredNode.Peer4,
            Dst = MeasuredNode.Node4,
            Protocol = IpProtocol.Udp,
            Sport = 50000,
            Dport = NodeEnd.Port,
            Payload = [8, 0, 0, 0, 0, 0, (byte)NodeEnd.Vni, 0, .. Inner(v6: false).Bytes()],
        },
        false, Only(MeasuredNode.Node4), NodeEnd.Port);

    /// <summary>The same after decapsulation.</summary>
    public static PacketCase OutOfTunnel(MeasuredNode node, bool v6) => new(
        $"remote pod to pod, tunnel: overlay ingress, TCP, {Family(v6)}", Place.OutOfTunnel(node), Inner(v6),
        true, Only(Address.Server(v6)), BackendPort)
    {
        Answers = Place.Server(node),
        Frame = Macs.Server,
    };

    /// <summary>From an external client to a pod of the other node: by the routing table, or through the tunnel.</summary>
    public static PacketCase NodePortToRemote(MeasuredNode node, IpProtocol protocol, bool v6, bool tunnel = false) => new(
        $"NodePort to remote backend, {(tunnel ? "tunnel" : "direct")}, {(protocol == IpProtocol.Udp ? "UDP" : "TCP")}, {Family(v6)}",
        Place.Uplink(node),
        new Packet { Src = MeasuredNode.Outside(v6), Dst = MeasuredNode.Node(v6), Dport = NodePort, Protocol = protocol,
            Flags = TcpFlags.Data },
        true, Only(Address.Remote(v6)), BackendPort)
    {
        Answers = tunnel ? Place.OutOfTunnel(node) : Place.Uplink(node),
        Source = MeasuredNode.Node(v6),
    };

    public static PacketCase NewFlow(MeasuredNode node)
    {
        var known = NodePortToRemote(node, IpProtocol.Tcp, v6: false);
        return known with
        {
            Name = "NodePort to remote backend, direct, SYN of a new flow, IPv4",
            Packet = known.Packet with { Flags = TcpFlags.Syn },
            Answers = null,
            Flows = 0,
        };
    }

    public static PacketCase ManyFlows(MeasuredNode node)
    {
        var one = NodePortToRemote(node, IpProtocol.Tcp, v6: false);
        return one with
        {
            Name = "NodePort to remote backend, direct, 65,536 known flows in turn, TCP, IPv4",
            Packet = one.Packet with { Dport = ManyNodePort },
            Becomes = IPNetwork.Parse(RemotePods4),
            Flows = 65536,
        };
    }

    private static Packet Inner(bool v6) => new()
    {
        SrcMac = Macs.TunnelSender,
        DstMac = Macs.Tunnel,
        Src = Address.Remote(v6),
        Dst = Address.Server(v6),
        Dport = BackendPort,
        Flags = TcpFlags.Data,
        Ttl = 63,
    };

    private static IPNetwork Only(string address) =>
        IPNetwork.Parse(address + (address.Contains(':', StringComparison.Ordinal) ? "/128" : "/32"));

    private static string Family(bool v6) => v6 ? "IPv6" : "IPv4";
}
