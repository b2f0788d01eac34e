using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Who reaches what from where, and as whom: through real kernels and a node that forwards nothing by itself.</summary>
public sealed class UplinkWireTests
{
    private const int NodePort = 30080;

    public static TheoryData<bool, ProtocolType> Kinds => new()
    {
        { false, ProtocolType.Tcp }, { false, ProtocolType.Udp }, { true, ProtocolType.Tcp }, { true, ProtocolType.Udp },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_leads_to_a_pod_of_this_node_which_sees_the_node(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.RedirectPeer);
        var seen = Converse(town, town.Outside, Town.NodeAddress(v6), town.Server, Address.Server(v6), protocol);
        Assert.Equal(IPAddress.Parse(Town.NodeAddress(v6)), seen);
        Assert.True(town.Programs.Count(Reason.Service, Hook.UplinkIngress) > 0, town.Programs.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_node_port_leads_to_a_pod_elsewhere_which_sees_the_node(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.None);
        var seen = Converse(town, town.Outside, Town.NodeAddress(v6), town.Peer, Address.Remote(v6), protocol);
        Assert.Equal(IPAddress.Parse(Town.NodeAddress(v6)), seen);
        Assert.Equal(0UL, town.Programs.Count(Reason.Service, Hook.HostEgress)); // what is forwarded is translated once
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_tag_that_only_says_a_priority_changes_nothing_and_another_VLAN_is_another_network(bool v6)
    {
        using var town = new Town(ConfigFlags.RedirectPeer);
        using var switches = BpfObject.Open(Repository.BpfObject("test/tag"));
        switches.Load();
        using (town.Tag(switches.GetProgram("ebc_test_tag_priority")))
            Converse(town, town.Outside, Town.NodeAddress(v6), town.Server, Address.Server(v6), ProtocolType.Tcp);
        var served = town.Programs.Count(Reason.Service, Hook.UplinkIngress);
        Assert.True(served > 0, town.Programs.Counts());

        using (town.Tag(switches.GetProgram("ebc_test_tag_vlan")))
            Knock();
        Assert.Equal(served, town.Programs.Count(Reason.Service, Hook.UplinkIngress));
        Knock(); // the control
        await Eventually.True(() => town.Programs.Count(Reason.Service, Hook.UplinkIngress) > served, "the same without a tag");

        void Knock()
        {
            using var client = Town.Caller(town.Outside, v6, ProtocolType.Tcp);
            client.Blocking = false;
            Assert.Equal(SocketError.WouldBlock, Assert.Throws<SocketException>(
                () => client.Connect(IPEndPoint.Parse(Address.At(Town.NodeAddress(v6), NodePort)))).SocketErrorCode);
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_balancers_address_is_served_and_a_service_that_keeps_the_source_shows_it(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.None);
        var seen = Converse(town, town.Outside, Town.BalancerAddress(v6), town.Server, Address.Server(v6), protocol, SvcFlags.KeepSource,
            Scope.External);
        Assert.Equal(IPAddress.Parse(Town.OutsideAddress(v6)), seen);
    }

    [Theory, MemberData(nameof(Kinds))]
    public void With_sources_kept_a_pod_of_this_node_sees_who_calls(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.KeepSource);
        Assert.Equal(
            IPAddress.Parse(Town.OutsideAddress(v6)),
            Converse(town, town.Outside, Town.NodeAddress(v6), town.Server, Address.Server(v6), protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_backend_that_is_the_node_itself_answers_through_its_uplink(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.None);
        var seen = Converse(town, town.Outside, Town.BalancerAddress(v6), town.Node, Town.NodeAddress(v6), protocol,
            backend: BackendFlags.Local);
        Assert.Equal(IPAddress.Parse(Town.OutsideAddress(v6)), seen);
        Assert.True(town.Programs.Count(Reason.Reply, Hook.HostEgress) > 0, town.Programs.Counts());
    }

    /// <summary>What the node's own server answers to the second would be taken for an answer to the first.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void One_port_may_ask_the_nodes_own_server_through_a_service_and_then_directly(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.None);
        using var server = Town.Socket(town.Node, Town.NodeAddress(v6), protocol);
        var direct = (IPEndPoint)server.LocalEndPoint!;
        var service = IPEndPoint.Parse(Address.At(Town.BalancerAddress(v6), NodePort));
        town.Programs.SetService(PodPrograms.Key(service.ToString(), Abi(protocol)), SvcFlags.None, BackendFlags.Local, direct.ToString());
        const int Port = 41000;
        foreach (var to in new[] { service, direct, service })
        {
            // Not closed by a reset: that would end the entry, too.
            using var client = Sender(town.Outside, v6, protocol, Port);
            client.Connect(to);
            using var accepted = protocol == ProtocolType.Tcp ? server.Accept() : null;
            Speak(client, accepted, server, protocol);
            client.Shutdown(SocketShutdown.Both);
            accepted?.Close(); // the client's side is done first, and waits (TIME_WAIT): its port is free for another peer
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_reaches_pods_elsewhere_past_the_chain_that_drops(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        Assert.Equal(IPAddress.Parse(Address.Client(v6)),
            Converse(town, town.Client, Address.Vip(v6), town.Peer, Address.Remote(v6), protocol));
        // directly, too
        using var server = Town.Socket(town.Peer, Address.Remote(v6), protocol);
        using var client = Town.Caller(town.Client, v6, protocol);
        Assert.Equal(IPAddress.Parse(Address.Client(v6)), Exchange(client, (IPEndPoint)server.LocalEndPoint!, server, protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_reaches_a_backend_outside_the_cluster_as_the_node(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        Assert.Equal(
            IPAddress.Parse(Town.NodeAddress(v6)),
            Converse(town, town.Client, Address.Vip(v6), town.Outside, Town.OutsideAddress(v6), protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_leaves_the_cluster_as_the_node(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Outside, Town.OutsideAddress(v6), protocol);
        using var client = Town.Caller(town.Client, v6, protocol);
        Assert.Equal(IPAddress.Parse(Town.NodeAddress(v6)), Exchange(client, (IPEndPoint)server.LocalEndPoint!, server, protocol));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_pod_and_the_node_may_use_one_port_to_one_peer(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        using var server = Town.Socket(town.Outside, Town.OutsideAddress(v6), protocol);
        var to = (IPEndPoint)server.LocalEndPoint!;
        const int Port = 41000;
        foreach (var (first, second) in new[] { (town.Client, town.Node), (town.Node, town.Server) })
        {
            using var one = Sender(first, v6, protocol, Port);
            using var other = Sender(second, v6, protocol, Port);
            one.Connect(to);
            using var oneAccepted = protocol == ProtocolType.Tcp ? server.Accept() : null;
            Speak(one, oneAccepted, server, protocol);
            other.Connect(to);
            using var otherAccepted = protocol == ProtocolType.Tcp ? server.Accept() : null;
            Speak(other, otherAccepted, server, protocol);
            Speak(one, oneAccepted, server, protocol);
            Speak(other, otherAccepted, server, protocol);
            one.LingerState = other.LingerState = new LingerOption(true, 0); // a reset, so that the port is free for the next pair
        }
    }

    [Theory, InlineData(false), InlineData(true)]
    public void A_pod_pings_what_is_outside(bool v6)
    {
        using var town = new Town(ConfigFlags.Masquerade);
        Assert.True(Ping(town.Client, Town.OutsideAddress(v6)));
        // the control: whoever is outside knows no way to a pod
        using var closed = new Town(ConfigFlags.None);
        Assert.False(Ping(closed.Client, Town.OutsideAddress(v6)));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void What_nobody_serves_is_refused_to_the_network_the_pods_and_the_node(bool v6, ProtocolType protocol)
    {
        using var town = new Town(ConfigFlags.None);
        town.TranslateTheNodesOwn();
        var key = PodPrograms.Key(Address.At(Town.BalancerAddress(v6), 80), Abi(protocol));
        town.Programs.SetService(key, SvcFlags.None);
        foreach (var who in new[] { town.Outside, town.Client, town.Node })
            Assert.Equal(SocketError.ConnectionRefused, Failure(who, v6, protocol, Town.BalancerAddress(v6), 80));
        town.Programs.AddAddressMarker(Address.Vip(v6));
        foreach (var who in new[] { town.Client, town.Node })
            Assert.Equal(SocketError.ConnectionRefused, Failure(who, v6, protocol, Address.Vip(v6), 1234));
    }

    private static IpProtocol Abi(ProtocolType protocol) => protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp;

    private static Socket Sender(NetworkNamespace where, bool v6, ProtocolType protocol, int port)
    {
        var socket = Town.Caller(where, v6, protocol);
        where.Run(() => socket.Bind(new IPEndPoint(v6 ? IPAddress.IPv6Any : IPAddress.Any, port)));
        return socket;
    }

    /// <summary>A service with one backend; returns whom the backend saw.</summary>
    private static IPAddress Converse(
        Town town, NetworkNamespace from, string frontend, NetworkNamespace at, string backendAddress, ProtocolType protocol,
        SvcFlags flags = SvcFlags.None, Scope scope = Scope.Internal, BackendFlags backend = BackendFlags.None)
    {
        var v6 = frontend.Contains(':', StringComparison.Ordinal);
        using var server = Town.Socket(at, backendAddress, protocol);
        var to = IPEndPoint.Parse(Address.At(frontend, NodePort));
        town.Programs.SetService(PodPrograms.Key(to.ToString(), Abi(protocol), scope), flags, backend, server.LocalEndPoint!.ToString()!);
        using var client = Town.Caller(from, v6, protocol);
        var seen = Exchange(client, to, server, protocol);
        Assert.Equal(to, client.RemoteEndPoint);
        Assert.DoesNotContain("Rewrite", town.Programs.Counts(), StringComparison.Ordinal);
        return seen;
    }

    private static IPAddress Exchange(Socket client, IPEndPoint to, Socket server, ProtocolType protocol)
    {
        client.Connect(to);
        using var accepted = protocol == ProtocolType.Tcp ? server.Accept() : null;
        if (accepted is not null)
            Transfers.BothWays(client, accepted, 2 * 1024 * 1024);
        return Speak(client, accepted, server, protocol);
    }

    /// <summary>There and back; returns whom the server saw.</summary>
    private static IPAddress Speak(Socket client, Socket? accepted, Socket server, ProtocolType protocol)
    {
        var said = new byte[protocol == ProtocolType.Tcp ? 100 : 3000]; // a datagram of several fragments
        Random.Shared.NextBytes(said);
        var heard = new byte[4000];
        client.Send(said);
        if (accepted is not null)
        {
            Assert.Equal(said.Length, accepted.Receive(heard));
            accepted.Send(heard, said.Length, SocketFlags.None);
            Assert.Equal(said.Length, client.Receive(heard));
            return ((IPEndPoint)accepted.RemoteEndPoint!).Address;
        }
        EndPoint from = new IPEndPoint(client.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        Assert.Equal(said.Length, server.ReceiveFrom(heard, ref from));
        Assert.Equal(said, heard[..said.Length]);
        server.SendTo(heard, said.Length, SocketFlags.None, from);
        Assert.Equal(said.Length, client.Receive(heard));
        Assert.Equal(said, heard[..said.Length]);
        return ((IPEndPoint)from).Address;
    }

    private static SocketError Failure(NetworkNamespace who, bool v6, ProtocolType protocol, string address, int port)
    {
        using var socket = Town.Caller(who, v6, protocol);
        return Assert.Throws<SocketException>(() =>
        {
            socket.Connect(IPEndPoint.Parse(Address.At(address, port)));
            socket.Send("hello"u8);
            socket.Receive(new byte[100]);
        }).SocketErrorCode;
    }

    private static bool Ping(NetworkNamespace who, string whom) => who.Run(() =>
    {
        using var ping = System.Diagnostics.Process.Start(
            new System.Diagnostics.ProcessStartInfo("ping", ["-c", "1", "-W", "1", "-s", "3000", whom])
        {
            RedirectStandardOutput = true,
        })!;
        ping.StandardOutput.ReadToEnd();
        ping.WaitForExit();
        return ping.ExitCode == 0;
    });
}
