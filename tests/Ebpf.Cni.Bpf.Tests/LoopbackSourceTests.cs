using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// A node's client that asks a NodePort or hostPort of 127.0.0.1, and that no socket hook has translated: what it is bound to makes no
/// difference. Bound to the node's own address it is the request of curl --interface ADDRESS, which conformance tests of hostPorts make.
/// Beside socket hooks it is one that is bound to 127.0.0.1 with a port, or that no hook sees.
/// </summary>
public sealed class LoopbackSourceTests
{
    private const int Port = 30080;

    public enum Bound
    {
        Nothing,
        Loopback,
        NodeAddress,
    }

    public enum Backend
    {
        Pod,
        Elsewhere,
        Node,
    }

    public static TheoryData<bool, Bound, ProtocolType, Backend> Kinds
    {
        get
        {
            var data = new TheoryData<bool, Bound, ProtocolType, Backend>();
            foreach (var hooks in new[] { false, true })
                foreach (var bound in Enum.GetValues<Bound>())
                    foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                        foreach (var backend in Enum.GetValues<Backend>())
                            data.Add(hooks, bound, protocol, backend);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void A_port_of_the_loopback_address_answers(bool hooks, Bound bound, ProtocolType protocol, Backend backend)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade | (hooks ? ConfigFlags.SocketLb : 0));
        town.TranslateTheNodesOwn();
        var (where, address) = backend switch
        {
            Backend.Pod => (town.Server, Address.Server4),
            Backend.Elsewhere => (town.Peer, Address.Remote4),
            _ => (town.Node, Town.Node4),
        };
        Tool.Run(town.Node, "ping", "-c", "1", "-W", "2", Town.Peer4); // the neighbour is known: see HostServiceWireTests
        using var server = Town.Socket(where, address, protocol);
        var to = new IPEndPoint(IPAddress.Loopback, Port);
        var abi = protocol == ProtocolType.Tcp ? IpProtocol.Tcp : IpProtocol.Udp;
        town.Programs.SetService(
            PodPrograms.Key(to.ToString(), abi), SvcFlags.None, backend == Backend.Elsewhere ? BackendFlags.None : BackendFlags.Local,
            server.LocalEndPoint!.ToString()!);

        using var client = Town.Caller(town.Node, v6: false, protocol);
        if (bound != Bound.Nothing)
            town.Node.Run(() => client.Bind(new IPEndPoint(bound == Bound.Loopback ? IPAddress.Loopback : IPAddress.Parse(Town.Node4), 0)));
        Echo.Ask(client, server, to, town.Programs);
        Assert.Equal(to, client.RemoteEndPoint);
    }
}
