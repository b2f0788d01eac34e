using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A datagram is delivered in whatever order its fragments arrive (RFC 791, 3.2; RFC 8200, 4.5). Networks reorder, and some stacks send the
/// last fragment first.
/// </summary>
public sealed class FragmentOrderWireTests
{
    private const int Port = 7777, NodePort = 30080, Cut = 1360;

    // the first two are the controls
    private static readonly int[][] Orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    [Theory, InlineData(false), InlineData(true)]
    public void Answers_to_a_masqueraded_pod(bool v6)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Outside, Town.OutsideAddress(v6), ProtocolType.Udp, Port);
        using var client = Town.Caller(town.Client, v6, ProtocolType.Udp);
        client.Connect(server.LocalEndPoint!);
        client.Send("question"u8);
        EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        server.ReceiveFrom(new byte[100], ref from);
        Assert.Equal(Town.NodeAddress(v6), ((IPEndPoint)from).Address.ToString());
        InEveryOrder(town, Datagram(v6, Port, (ushort)((IPEndPoint)from).Port), client);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void Requests_to_a_node_port(bool v6)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Server, Address.Server(v6), ProtocolType.Udp, Port);
        town.Programs.AddService(Address.At(Town.NodeAddress(v6), NodePort), IpProtocol.Udp, server.LocalEndPoint!.ToString()!);
        InEveryOrder(town, Datagram(v6, 5000, NodePort), server);
    }

    /// <summary>What is for no service completes in the node's stack.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void Requests_to_the_node_itself(bool v6)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Node, Town.NodeAddress(v6), ProtocolType.Udp, Port);
        InEveryOrder(town, Datagram(v6, 5000, Port), server);
    }

    /// <summary>The client has asked a virtual address, so what the backend's node sends through the tunnel needs translation.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void Answers_out_of_a_tunnel(bool v6)
    {
        using var town = new TunnelTown(underlayV6: false, ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Udp, Port);
        using var client = Town.Caller(town.One.Pod, v6, ProtocolType.Udp);
        town.One.Programs.AddService(Address.At(Address.Vip(v6), NodePort), IpProtocol.Udp, server.LocalEndPoint!.ToString()!);
        client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), NodePort)));
        client.Send("question"u8);
        EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        server.ReceiveFrom(new byte[100], ref from);
        using var node = Town.Caller(town.Other.Namespace, v6: false, ProtocolType.Udp);
        var datagram = new Packet
        {
            SrcMac = Macs.TunnelSender, DstMac = Macs.Tunnel, Src = Address.Remote(v6), Dst = Address.Client(v6), Protocol = IpProtocol.Udp,
            Sport = Port, Dport = (ushort)((IPEndPoint)from).Port,
        };
        var end = IPEndPoint.Parse(Address.At(town.One.At(v6: false), 8472));
        // VXLAN (RFC 7348) of network 1
        InEveryOrder(datagram, client, piece => node.SendTo([0x08, 0, 0, 0, 0, 0, 1, 0, .. piece], end), town.One.Programs);
    }

    private static Packet Datagram(bool v6, ushort sport, ushort dport) =>
        new() { Src = Town.OutsideAddress(v6), Dst = Town.NodeAddress(v6), Sport = sport, Dport = dport, Protocol = IpProtocol.Udp };

    private static void InEveryOrder(Town town, Packet datagram, Socket receiver)
    {
        var (own, there) = (Eth(town.Node), Eth(town.Outside));
        using var wire = town.Outside.Run(() => FrameSocket.Open(there.Index));
        InEveryOrder(
            datagram with { SrcMac = MacAddr.FromBytes(there.Mac), DstMac = MacAddr.FromBytes(own.Mac) }, receiver,
            frame => wire.Send(frame), town.Programs);
    }

    private static void InEveryOrder(Packet datagram, Socket receiver, Action<byte[]> send, PodPrograms programs)
    {
        receiver.ReceiveTimeout = 2_000;
        var lost = new List<string>();
        for (var i = 0; i < Orders.Length; i++)
        {
            var payload = new byte[4000];
            var whole = datagram with { Payload = payload };
            Random.Shared.NextBytes(whole.Payload);
            foreach (var piece in Orders[i])
                send((whole with { Piece = new Piece(piece * Cut, Cut, piece < 2, (uint)(100 + i)) }).Bytes());
            var heard = new byte[5000];
            try
            {
                var length = receiver.Receive(heard);
                Assert.Equal(whole.Payload, heard[..length]);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TimedOut)
            {
                lost.Add(string.Join(',', Orders[i]));
            }
        }
        Assert.True(lost.Count == 0, $"lost in the orders {string.Join(" and ", lost)}; {programs.Counts()}");
    }

    private static LinkInfo Eth(Kernel.Namespaces.NetworkNamespace where)
    {
        using var netlink = RouteNetlink.Open(where);
        return netlink.FindLink("eth0")!;
    }
}
