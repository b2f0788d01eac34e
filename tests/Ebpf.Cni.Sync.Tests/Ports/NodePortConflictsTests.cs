using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Sockets;
using Ebpf.Cni.Sync.Ports;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Sync.Tests.Ports;

/// <summary>Which listening sockets of the node are in the way of NodePorts.</summary>
public class NodePortConflictsTests
{
    private static readonly ServicePortName Web = new(new("default", "web"), "http", IpProtocol.Tcp);

    private static readonly ImmutableDictionary<(ushort, IpProtocol), ServicePortName> Ports =
        ImmutableDictionary<(ushort, IpProtocol), ServicePortName>.Empty.Add((30080, IpProtocol.Tcp), Web);

    [Theory]
    [InlineData("127.0.0.1", 30080, true)]
    [InlineData("::1", 30080, true)]
    [InlineData("127.0.0.1", 8080, false)] // a hostPort
    [InlineData("192.0.2.1", 30080, false)]
    public void Loopback_addresses_are_served_if_a_NodePort_has_them(string address, ushort port, bool loopback)
    {
        var key = new SvcKey(Addr.Parse(address), U16Be.FromHost(port), IpProtocol.Tcp, Scope.Internal);
        var web = new DesiredPort(Web, 1, [new(key, new SegmentKey(1, SegmentVariant.None), Web, SvcFlags.None, 0)], [], []);
        var state = DesiredState.Empty with { Ports = DesiredState.Empty.Ports.Add(Web, web) };
        Assert.Equal(loopback ? [IPAddress.Parse(address)] : [], NodePortConflicts.LoopbackOf(state, Ports));
    }

    [Theory]
    [InlineData("0.0.0.0", 30080, true)]
    [InlineData("127.0.0.1", 30080, true)]
    [InlineData("127.0.0.2", 30080, false)]
    [InlineData("::1", 30080, false)]
    [InlineData("192.0.2.1", 30080, true)]
    [InlineData("0.0.0.0", 30081, false)]
    [InlineData("::", 30080, true)]
    public void Sockets_that_would_hear_what_comes_to_a_NodePort_are_in_the_way(string address, int port, bool inTheWay)
    {
        Requires.Root();
        using var node = NetworkNamespace.CreateAnonymous();
        var found = node.Run(() =>
        {
            using var netlink = Kernel.Netlink.RouteNetlink.Open();
            netlink.AddAddress(1, IPAddress.Parse("192.0.2.1"), 32);
            using var listener = new TcpListener(IPAddress.Parse(address), port);
            listener.Start();
            using var datagrams = new UdpClient(new IPEndPoint(IPAddress.Any, 30080));
            using var sockets = SocketDiagnostics.Open();
            return NodePortConflicts.Find(
                Ports, sockets.Listeners(new HashSet<ushort> { 30080 }),
                new HashSet<IPAddress> { IPAddress.Parse("192.0.2.1"), IPAddress.Loopback }).ToList();
        });
        Assert.Equal(inTheWay ? [Web] : [], found.Select(f => f.Port));
    }
}
