using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Programs of other components behind ours on the same device: what is left to the host's stack passes all of them, in both directions.
/// </summary>
public sealed class ForeignFilterTests
{
    private const ulong Packets = 3; // Echo's datagrams of 1200 bytes, one each way

    public static TheoryData<bool, Behind> Kinds => new()
    {
        { false, Behind.Tcx }, { false, Behind.Clsact }, { true, Behind.Tcx }, { true, Behind.Clsact },
    };

    [Theory, MemberData(nameof(Kinds))]
    public void Behind_another_plugin_they_see_what_is_no_services(bool v6, Behind behind)
    {
        using var wires = new Wires(ConfigFlags.Chained | ConfigFlags.TcServices | ConfigFlags.SetRetval);
        using var from = new ForeignFilter(wires.Node, "client", TcDirection.Ingress, behind);
        using var to = new ForeignFilter(wires.Node, "client", TcDirection.Egress, behind);
        using var server = Town.Socket(wires.Server, Address.Server(v6), ProtocolType.Udp);
        Ask(wires.Client, v6, server, (IPEndPoint)server.LocalEndPoint!, wires.Programs);
        Assert.Equal((Packets, Packets), (from.Seen, to.Seen));
    }

    /// <summary>What is a service's is translated and takes our way from the pod: the promise ends there.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void Behind_another_plugin_what_is_translated_reaches_the_pod_through_them_and_leaves_it_past_them(bool v6, Behind behind)
    {
        using var wires = new Wires(ConfigFlags.Chained | ConfigFlags.TcServices | ConfigFlags.SetRetval);
        using var from = new ForeignFilter(wires.Node, "client", TcDirection.Ingress, behind);
        using var server = Town.Socket(wires.Server, Address.Server(v6), ProtocolType.Udp);
        wires.Programs.AddService(Address.At(Address.Vip(v6), 80), IpProtocol.Udp, server.LocalEndPoint!.ToString()!);
        Ask(wires.Client, v6, server, IPEndPoint.Parse(Address.At(Address.Vip(v6), 80)), wires.Programs);
        Assert.Equal(0UL, from.Seen);
        Assert.True(wires.Programs.Count(Reason.Service) >= Packets, wires.Programs.Counts());
    }

    [Theory, MemberData(nameof(Kinds))]
    public void On_a_pods_interface_they_see_what_it_says_to_its_node(bool v6, Behind behind)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var from = new ForeignFilter(town.Node, "client", TcDirection.Ingress, behind);
        using var to = new ForeignFilter(town.Node, "client", TcDirection.Egress, behind);
        using var server = Town.Socket(town.Node, Town.NodeAddress(v6), ProtocolType.Udp);
        Ask(town.Client, v6, server, (IPEndPoint)server.LocalEndPoint!, town.Programs);
        Assert.Equal((Packets, Packets), (from.Seen, to.Seen));
    }

    [Theory, MemberData(nameof(Kinds))]
    public void On_an_uplink_they_see_what_the_network_says_to_the_node(bool v6, Behind behind)
    {
        using var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var from = new ForeignFilter(town.Node, "eth0", TcDirection.Ingress, behind);
        using var to = new ForeignFilter(town.Node, "eth0", TcDirection.Egress, behind);
        using var server = Town.Socket(town.Node, Town.NodeAddress(v6), ProtocolType.Udp);
        Ask(town.Outside, v6, server, (IPEndPoint)server.LocalEndPoint!, town.Programs);
        Assert.Equal((Packets, Packets), (from.Seen, to.Seen));
    }

    /// <summary>
    /// A pod of another node asks this node through the tunnel; what is for the node comes out of the device and goes to its stack.
    /// </summary>
    [Theory, MemberData(nameof(Kinds))]
    public void On_the_tunnels_device_they_see_what_is_the_nodes(bool v6, Behind behind)
    {
        using var town = new TunnelTown(underlayV6: false, ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        using var from = new ForeignFilter(town.Other.Namespace, "ebc-vxlan", TcDirection.Ingress, behind);
        using var to = new ForeignFilter(town.Other.Namespace, "ebc-vxlan", TcDirection.Egress, behind);
        var address = v6 ? "fd00:60::1" : "192.168.60.1";
        using var server = Town.Socket(town.Other.Namespace, address, ProtocolType.Udp);
        Ask(town.One.Pod, v6, server, (IPEndPoint)server.LocalEndPoint!, town.Other.Programs);
        Assert.Equal((Packets, Packets), (from.Seen, to.Seen));
    }

    private static void Ask(NetworkNamespace where, bool v6, Socket server, IPEndPoint to, PodPrograms programs)
    {
        using var client = Town.Caller(where, v6, ProtocolType.Udp);
        Echo.Ask(client, server, to, programs);
    }
}
