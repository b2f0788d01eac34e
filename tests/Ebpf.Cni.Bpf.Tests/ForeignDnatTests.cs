using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// hostPorts that another component made with netfilter's DNAT. The request passes the host's stack, so the pod's answer has to, wherever
/// it goes: the stack alone knows which address was asked.
/// </summary>
public sealed class ForeignDnatTests
{
    private const string Plain4 = "10.9.0.2", Plain6 = "fd00:9::2";

    public enum Place
    {
        World,
        OtherNode,
        PodOfTheNode,
        PodOfAnotherNode,
        TheNodeItself,
    }

    /// <summary>--socket-lb full and off.</summary>
    public static TheoryData<bool, ProtocolType, Place, bool> Kinds
    {
        get
        {
            var data = new TheoryData<bool, ProtocolType, Place, bool>();
            foreach (var v6 in new[] { false, true })
                foreach (var protocol in new[] { ProtocolType.Tcp, ProtocolType.Udp })
                    foreach (var place in Enum.GetValues<Place>())
                        foreach (var off in new[] { false, true })
                            data.Add(v6, protocol, place, off);
            return data;
        }
    }

    [Theory, MemberData(nameof(Kinds))]
    public void It_answers_from_every_place(bool v6, ProtocolType protocol, Place place, bool off)
    {
        using var town = Town(off);
        ForeignDnat.Lead(town.Node, Address.Server(v6));
        Ask(town, v6, protocol, place, town.Server, Address.Server(v6));
    }

    /// <summary>The control: the same rules, to a namespace that is none of our pods.</summary>
    [Theory, MemberData(nameof(Kinds))]
    public void The_same_rules_to_a_plain_interface_answer_from_every_place(bool v6, ProtocolType protocol, Place place, bool off)
    {
        using var town = Town(off);
        using var plain = ForeignDnat.AddPlain(town.Node, Plain4, Plain6);
        ForeignDnat.Lead(town.Node, v6 ? Plain6 : Plain4);
        Ask(town, v6, protocol, place, plain, v6 ? Plain6 : Plain4);
    }

    /// <summary>A pod behind the tunnel asks by the tunnel, with its own address.</summary>
    [Theory]
    [InlineData(false, ProtocolType.Tcp)]
    [InlineData(false, ProtocolType.Udp)]
    [InlineData(true, ProtocolType.Tcp)]
    [InlineData(true, ProtocolType.Udp)]
    public void It_answers_a_pod_behind_the_tunnel(bool v6, ProtocolType protocol)
    {
        using var town = new TunnelTown(underlayV6: false, ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        Tool.Run(town.One.Namespace, "nft", "delete table inet closed");
        ForeignDnat.Lead(town.One.Namespace, Address.Client(v6));
        using var server = Fixtures.Town.Socket(town.One.Pod, Address.Client(v6), protocol, ForeignDnat.ContainerPort);
        using var client = Fixtures.Town.Caller(town.Other.Pod, v6, protocol);
        var asked = v6 ? "fd00:50::1" : "192.168.50.1";
        Assert.Equal(
            IPAddress.Parse(Address.Remote(v6)),
            Echo.Ask(client, server, IPEndPoint.Parse(Address.At(asked, ForeignDnat.HostPort)), town.One.Programs));
    }

    // The components whose rules these are let FORWARD pass.
    private static Town Town(bool off)
    {
        var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        if (off)
            town.TranslateTheNodesOwn();
        Tool.Run(town.Node, "nft", "delete table inet closed");
        return town;
    }

    private static void Ask(Town town, bool v6, ProtocolType protocol, Place place, NetworkNamespace where, string address)
    {
        var (from, source) = place switch
        {
            Place.World => (town.Outside, Fixtures.Town.OutsideAddress(v6)),
            Place.OtherNode => (town.Peer, Fixtures.Town.PeerAddress(v6)),
            Place.PodOfTheNode => (town.Client, Address.Client(v6)),
            Place.PodOfAnotherNode => (town.Peer, Address.Remote(v6)),
            _ => (town.Node, null),
        };
        using var server = Fixtures.Town.Socket(where, address, protocol, ForeignDnat.ContainerPort);
        using var client = Fixtures.Town.Caller(from, v6, protocol);
        if (source is not null)
            from.Run(() => client.Bind(new IPEndPoint(IPAddress.Parse(source), 0)));
        var asked = IPEndPoint.Parse(Address.At(Fixtures.Town.NodeAddress(v6), ForeignDnat.HostPort));
        var seen = Echo.Ask(client, server, asked, town.Programs);
        if (source is not null)
            Assert.Equal(IPAddress.Parse(source), seen);
    }
}
