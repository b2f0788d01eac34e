using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// The node's own connections from a port that is a frontend of its address: a hostPort, an external address, a later NodePort.
/// Their answers begin no connection to the frontend.
/// </summary>
public sealed class NodeClientWireTests
{
    private const int Port = NodeClient.Port;
    private const ConfigFlags Flags = ConfigFlags.RedirectPeer | ConfigFlags.Masquerade;

    public static TheoryData<bool, ProtocolType, Place> Kinds
    {
        get
        {
            var data = new TheoryData<bool, ProtocolType, Place>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                    foreach (var place in Enum.GetValues<Place>())
                        data.Add(v6, protocol, place);
            return data;
        }
    }

    /// <summary>The port beside it is the control.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void A_connection_from_the_port_of_a_frontend_is_answered(bool v6, ProtocolType protocol, Place place)
    {
        using var town = new Town(Flags);
        using var backend = NodeClient.Frontend(town, v6, protocol);
        using var server = NodeClient.Server(town, v6, protocol, place);
        foreach (var port in new[] { Port + 1, Port })
        {
            using var client = NodeClient.Bound(town.Node, v6, protocol, port);
            var to = (IPEndPoint)server.LocalEndPoint!;
            NodeClient.Answered(() => NodeClient.Converse(client, server, to, protocol), town.Programs, port);
        }
    }

    [Theory]
    [InlineData(false, ProtocolType.Tcp, Place.PodHere), InlineData(false, ProtocolType.Udp, Place.PodHere)]
    [InlineData(false, ProtocolType.Udp, Place.Outside), InlineData(true, ProtocolType.Udp, Place.Outside)]
    public void Without_socket_hooks_it_is_answered_too(bool v6, ProtocolType protocol, Place place)
    {
        using var town = new Town(Flags);
        town.TranslateTheNodesOwn();
        using var backend = NodeClient.Frontend(town, v6, protocol);
        using var server = NodeClient.Server(town, v6, protocol, place);
        using var client = NodeClient.Bound(town.Node, v6, protocol, Port);
        NodeClient.Answered(() => NodeClient.Converse(client, server, (IPEndPoint)server.LocalEndPoint!, protocol), town.Programs, Port);
    }

    /// <summary>The control: a client of the frontend reaches its backend, also while a socket of the node has the port.</summary>
    [Theory]
    [InlineData(false, ProtocolType.Tcp), InlineData(false, ProtocolType.Udp)]
    [InlineData(true, ProtocolType.Tcp), InlineData(true, ProtocolType.Udp)]
    public void The_frontend_serves_the_world_and_the_pods(bool v6, ProtocolType protocol)
    {
        using var town = new Town(Flags);
        using var backend = NodeClient.Frontend(town, v6, protocol);
        using var busy = NodeClient.Bound(town.Node, v6, ProtocolType.Udp, Port);
        busy.SendTo("elsewhere"u8, IPEndPoint.Parse(Address.At(Town.OutsideAddress(v6), 9)));
        var to = IPEndPoint.Parse(Address.At(Town.NodeAddress(v6), Port));
        foreach (var client in new[] { town.Outside, town.Server })
        {
            using var socket = NodeClient.Bound(client, v6, protocol, 0);
            NodeClient.Answered(() => NodeClient.Converse(socket, backend, to, protocol), town.Programs, 0);
        }
    }
}
