using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// What a node sends past the socket hooks of --socket-lb full (another cgroup hierarchy, a kernel client, a raw socket, a socket from
/// before the Service): tc serves it at the uplink. No packet for a cluster IP reaches the network.
/// </summary>
public sealed class UnhookedNodeTests
{
    private const int Port = 80;

    // .NET opens no raw socket of this protocol.
    private const string Gre = """
        import socket, sys
        with socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_RAW, 47) as s:
            s.settimeout(3)
            s.connect((sys.argv[1], 0))
            s.send(bytes(100))
            try:
                s.recv(1000)
            except TimeoutError:
                print("silence")
            except OSError:
                print("refused")
        """;

    public enum Backend
    {
        Pod,
        Elsewhere,
        Node,
    }

    public static TheoryData<bool, ProtocolType, Backend> Kinds
    {
        get
        {
            var data = new TheoryData<bool, ProtocolType, Backend>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                    foreach (var backend in Enum.GetValues<Backend>())
                        data.Add(v6, protocol, backend);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_client_is_served(bool v6, ProtocolType protocol, Backend backend)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        using var server = Serve(town, v6, protocol, backend);
        var to = Publish(town, v6, protocol, backend, server);
        using var client = Town.Caller(town.Node, v6, protocol);
        Echo.Ask(client, server, to, town.Programs);
        Assert.Equal(0, tap.Packets);
    }

    [Theory]
    [InlineData(false, Backend.Pod)]
    [InlineData(false, Backend.Elsewhere)]
    [InlineData(true, Backend.Pod)]
    [InlineData(true, Backend.Elsewhere)]
    public void A_datagram_socket_that_was_connected_before_the_Service_existed_is_served(bool v6, Backend backend)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        using var server = Serve(town, v6, ProtocolType.Udp, backend);
        using var client = Town.Caller(town.Node, v6, ProtocolType.Udp);
        client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), Port)));
        client.Send("too early"u8);
        // The control: an address that is no Service's goes to the network.
        Assert.True(SpinWait.SpinUntil(() => tap.Packets == 1, TimeSpan.FromSeconds(5)), "the datagram did not reach the network");
        var to = Publish(town, v6, ProtocolType.Udp, backend, server);
        Echo.Ask(client, server, to, town.Programs);
        Assert.Equal(1, tap.Packets);
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_raw_TCP_socket_is_served(bool v6)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        using var server = Serve(town, v6, ProtocolType.Tcp, Backend.Pod);
        var to = Publish(town, v6, ProtocolType.Tcp, Backend.Pod, server);
        using var raw = Raw(town.Node, v6, ProtocolType.Tcp);
        var syn = new Packet { Src = Town.NodeAddress(v6), Dst = Address.Vip(v6), Dport = Port, Flags = TcpFlags.Syn, Payload = [] };
        raw.SendTo(syn.Bytes()[(v6 ? 54 : 34)..], new IPEndPoint(to.Address, 0));
        Assert.True(SynAck(raw, v6), $"no SYN-ACK from {to}; {town.Programs.Counts()}");
        Assert.Equal(0, tap.Packets);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_ping_of_a_cluster_address_is_refused(bool v6, bool pod)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        town.Programs.AddAddressMarker(Address.Vip(v6));
        var (code, output, _) = Tool.Try(pod ? town.Client : town.Node, "ping", "-c", "1", "-W", "3", Address.Vip(v6));
        Assert.True(
            code != 0 && output.Contains("nreachable", StringComparison.Ordinal) && tap.Packets == 0,
            $"{tap.Packets} on the network; {town.Programs.Counts()}; {output}");
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void A_protocol_without_ports_to_a_cluster_address_is_refused(bool v6, bool pod)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        town.Programs.AddAddressMarker(Address.Vip(v6));
        var outcome = Tool.Run(pod ? town.Client : town.Node, "python3", "-c", Gre, Address.Vip(v6)).Trim();
        Assert.True(outcome == "refused", $"{outcome}; {tap.Packets} on the network; {town.Programs.Counts()}");
        Assert.Equal(0, tap.Packets);
    }

    [Theory]
    [InlineData(false, ProtocolType.Tcp)]
    [InlineData(false, ProtocolType.Udp)]
    [InlineData(true, ProtocolType.Tcp)]
    [InlineData(true, ProtocolType.Udp)]
    public void A_port_that_a_cluster_address_has_not_is_refused(bool v6, ProtocolType protocol)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        town.Programs.AddAddressMarker(Address.Vip(v6));
        using var client = Town.Caller(town.Node, v6, protocol);
        Assert.Equal(SocketError.ConnectionRefused, Assert.Throws<SocketException>(() =>
        {
            client.Connect(IPEndPoint.Parse(Address.At(Address.Vip(v6), 1234)));
            client.Send("hello"u8);
            client.Receive(new byte[100]);
        }).SocketErrorCode);
        Assert.Equal(0, tap.Packets);
    }

    /// <summary>The control of the taps: the same packets for an address that is no Service's do reach the network.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public async Task Packets_for_another_address_reach_the_network(bool v6)
    {
        using var town = FullTown();
        var tap = new WireTap(town.Peer, Address.Vip(v6));
        Tool.Try(town.Node, "ping", "-c", "1", "-W", "1", Address.Vip(v6));
        Tool.Run(town.Node, "python3", "-c", Gre, Address.Vip(v6));
        await Eventually.True(() => tap.Packets == 2, "both are seen");
    }

    /// <summary>
    /// As with --socket-lb full: the programs leave what the node's own sockets begin to the socket hooks, of which there are none here.
    /// </summary>
    private static Town FullTown()
    {
        var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade | ConfigFlags.SocketLb);
        using var netlink = RouteNetlink.Open(town.Node);
        // the way to cluster addresses, as any node has one
        netlink.ReplaceRoute(new Route(new IPNetwork(IPAddress.Any, 0), town.Uplink) { Gateway = IPAddress.Parse(Town.Peer4) });
        netlink.ReplaceRoute(new Route(new IPNetwork(IPAddress.IPv6Any, 0), town.Uplink) { Gateway = IPAddress.Parse(Town.Peer6) });
        // A first datagram that waits for a neighbour is sent by the route that it had before: the neighbour is known.
        foreach (var peer in new[] { Town.Peer4, Town.Peer6 })
            Tool.Run(town.Node, "ping", "-c", "1", "-W", "5", peer);
        return town;
    }

    private static Socket Serve(Town town, bool v6, ProtocolType protocol, Backend backend) => backend switch
    {
        Backend.Pod => Town.Socket(town.Server, Address.Server(v6), protocol),
        Backend.Elsewhere => Town.Socket(town.Peer, Address.Remote(v6), protocol),
        _ => Town.Socket(town.Node, Town.NodeAddress(v6), protocol),
    };

    /// <summary>A Service with this backend, and the marker that its address has.</summary>
    private static IPEndPoint Publish(Town town, bool v6, ProtocolType protocol, Backend backend, Socket server)
    {
        town.Programs.AddAddressMarker(Address.Vip(v6));
        var to = Address.At(Address.Vip(v6), Port);
        town.Programs.SetService(
            PodPrograms.Key(to, protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp), SvcFlags.None,
            backend == Backend.Elsewhere ? BackendFlags.None : BackendFlags.Local, server.LocalEndPoint!.ToString()!);
        return IPEndPoint.Parse(to);
    }

    private static Socket Raw(NetworkNamespace where, bool v6, ProtocolType protocol) => where.Run(() =>
        new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Raw, protocol) { ReceiveTimeout = 3_000 });

    // IPv4's header comes along, IPv6's does not
    private static bool SynAck(Socket raw, bool v6)
    {
        EndPoint from = new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        var heard = new byte[2000];
        try
        {
            while (true)
            {
                raw.ReceiveFrom(heard, ref from);
                if (((IPEndPoint)from).Address.Equals(IPAddress.Parse(Address.Vip(v6))) && (TcpFlags)heard[v6 ? 13 : 33] == TcpFlags.SynAck)
                    return true;
            }
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
