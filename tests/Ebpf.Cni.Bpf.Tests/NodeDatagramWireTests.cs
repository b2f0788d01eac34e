using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// The node's own UDP clients with a port that is a frontend of its address, as NTP's, IKE's or WireGuard's. Their first question is
/// answered.
/// </summary>
public sealed class NodeDatagramWireTests
{
    private const int Port = NodeClient.Port;
    private const ConfigFlags Flags = ConfigFlags.RedirectPeer | ConfigFlags.Masquerade;

    /// <summary>The port beside it is the control.</summary>
    [Theory]
    [InlineData(false, Place.PodHere, true), InlineData(true, Place.PodHere, true), InlineData(false, Place.PodElsewhere, true)]
    [InlineData(true, Place.PodElsewhere, true), InlineData(false, Place.Outside, true), InlineData(true, Place.Outside, true)]
    [InlineData(false, Place.Outside, false), InlineData(true, Place.Outside, false)]
    public void An_unconnected_socket_is_answered(bool v6, Place place, bool anyAddress)
    {
        using var town = new Town(Flags);
        using var backend = NodeClient.Frontend(town, v6, ProtocolType.Udp);
        // the same port at both ends
        using var server = NodeClient.Server(town, v6, ProtocolType.Udp, place, Port);
        foreach (var port in new[] { Port + 1, Port })
        {
            using var client = NodeClient.Bound(town.Node, v6, ProtocolType.Udp, port, anyAddress ? null : Town.NodeAddress(v6));
            NodeClient.Answered(() => NodeClient.Ask(client, server, (IPEndPoint)server.LocalEndPoint!), town.Programs, port);
        }
        Assert.Equal(0, backend.Available); // no answer went to the pod
    }

    /// <summary>The port beside it is the control.</summary>
    [Theory, InlineData(false), InlineData(true)]
    public void A_pod_behind_a_tunnel_answers(bool v6)
    {
        using var town = new TunnelTown(v6, Flags);
        var node = town.One;
        using var backend = NodeClient.Frontend(node.Programs, node.Pod, node.At(v6), v6, ProtocolType.Udp);
        using var server = Town.Socket(town.Other.Pod, Address.Remote(v6), ProtocolType.Udp);
        foreach (var port in new[] { Port + 1, Port })
        {
            using var client = NodeClient.Bound(node.Namespace, v6, ProtocolType.Udp, port);
            NodeClient.Answered(
                () => NodeClient.Converse(client, server, (IPEndPoint)server.LocalEndPoint!, ProtocolType.Udp), node.Programs, port);
        }
    }
}
