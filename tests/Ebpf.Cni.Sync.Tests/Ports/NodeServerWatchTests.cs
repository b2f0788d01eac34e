using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Sockets;
using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Sync.Node;
using Ebpf.Cni.Sync.Options;
using Ebpf.Cni.Sync.Ports;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Ebpf.Cni.Sync.Tests.Ports;

/// <summary>NodeLocal DNSCache: its device has the cluster IP of kube-dns, and a server listens on exactly that.</summary>
public sealed class NodeServerWatchTests : IDisposable
{
    private static readonly Addr Dns = Addr.Parse("10.96.0.10");

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Ports_of_cluster_IPs_that_the_node_carries_are_candidates()
    {
        var state = Compiled([]);
        Assert.Equal(
            [new NodeServer(Dns, 53, IpProtocol.Tcp), new NodeServer(Dns, 53, IpProtocol.Udp), new NodeServer(Dns, 9153, IpProtocol.Tcp)],
            NodeServerWatch.Candidates(state, [Addr.Parse("192.0.2.1"), Dns]).Order());
        Assert.Empty(NodeServerWatch.Candidates(state, [Addr.Parse("192.0.2.1"), Addr.Parse("203.0.113.1")]));
        Assert.Empty(NodeServerWatch.Candidates(DesiredState.Empty, [Dns]));
    }

    [Theory]
    [InlineData("10.96.0.10", 53, true)]
    [InlineData("0.0.0.0", 53, false)] // a server of the node that did not ask for the cluster IP
    [InlineData("10.96.0.10", 5353, false)]
    [InlineData("169.254.20.10", 53, false)]
    public void Only_a_socket_at_exactly_that_address_and_port_counts(string address, int port, bool counts)
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        var served = node.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            netlink.AddAddress(1, Dns.ToIPAddress(), 32);
            netlink.AddAddress(1, IPAddress.Parse("169.254.20.10"), 32);
            netlink.SetUp(1);
            using var datagrams = new UdpClient(new IPEndPoint(IPAddress.Parse(address), port));
            using var sockets = SocketDiagnostics.Open();
            return NodeServerWatch.Served(NodeServerWatch.Candidates(Compiled([]), [Dns]),
                sockets.Listeners(new HashSet<ushort> { 53, 5353, 9153 }));
        });
        Assert.Equal(counts ? [new NodeServer(Dns, 53, IpProtocol.Udp)] : ImmutableArray<NodeServer>.Empty, served);
    }

    [Fact]
    public void A_server_counts_as_long_as_the_node_has_the_address()
    {
        var node = new NodeState(
            new EndpointStore(
                new EndpointFiles(_directory.Path, "n1"), TimeSpan.Zero, TimeProvider.System, NullLogger<EndpointStore>.Instance),
            new SyncOptions("n"), TimeProvider.System);
        var facts = new NodeNetworkState(
            [new(2, "eth0") { Up = true, Ethernet = true }, new(3, "nodelocaldns") { Up = true, Ethernet = true, Kind = "dummy" }],
            [new(2, IPAddress.Parse("192.0.2.1"), 24), new(3, Dns.ToIPAddress(), 32)], [new(IPNetwork.Parse("0.0.0.0/0"), 2)]);
        node.SetNetworkState(facts);
        node.View(null);
        node.SetServers([new NodeServer(Dns, 53, IpProtocol.Udp)]);
        Assert.True(node.Changed.IsCompleted);
        var context = node.View(null).Context;
        Assert.Equal([new NodeServer(Dns, 53, IpProtocol.Udp)], context.NodeServers);
        Assert.Equal(SvcFlags.NodeServer, At(Compiled(context.NodeServers), 53, IpProtocol.Udp).Flags);
        Assert.Equal(SvcFlags.None, At(Compiled(context.NodeServers), 53, IpProtocol.Tcp).Flags);

        node.SetNetworkState(facts with { Addresses = [facts.Addresses[0]] });
        Assert.Empty(node.View(null).Context.NodeServers);
        node.SetNetworkState(facts);
        node.SetServers([]);
        Assert.Empty(node.View(null).Context.NodeServers);
    }

    private static DesiredFrontend At(DesiredState state, ushort port, IpProtocol protocol) =>
        state.Frontends.Single(f => f.Key == new SvcKey(Dns, U16Be.FromHost(port), protocol, Scope.Internal));

    private static DesiredState Compiled(ImmutableArray<NodeServer> servers)
    {
        var service = new ServiceSnapshot
        {
            Name = new("kube-system", "kube-dns"), Uid = "u", Type = "ClusterIP", ClusterIPs = ["10.96.0.10"],
            Ports = [new("dns", "UDP", 53, 0), new("dns-tcp", "TCP", 53, 0), new("metrics", "TCP", 9153, 0)],
        };
        var cluster = ClusterSnapshot.Empty with { Services = ClusterSnapshot.Empty.Services.Add(service.Name, service) };
        return ClusterCompiler.Compile(
            cluster, new NodeContext("n") { NodeServers = servers, NodeAddresses = [Dns, Addr.Parse("192.0.2.1")] }, IdTable.Empty);
    }
}
