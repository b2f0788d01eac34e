using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>
/// Pods' packets to 169.254.0.0/16 take the way of the host's stack: an interceptor of the metadata service (kube2iam, kiam) keeps pods
/// from the node's credentials by a rule in PREROUTING. Without one they leave masqueraded.
/// </summary>
public sealed class LinkLocalTests
{
    private const string Metadata = "169.254.169.254", Cache = "169.254.20.10";
    private const int Asked = 80, Listens = 8181;

    public static TheoryData<ProtocolType> Protocols => [ProtocolType.Tcp, ProtocolType.Udp];

    [Theory, MemberData(nameof(Protocols))]
    public void A_rule_in_PREROUTING_leads_it_to_a_listener_of_the_node(ProtocolType protocol)
    {
        using var town = MetadataTown();
        using var interceptor = Town.Socket(town.Node, Town.Node4, protocol, Listens);
        using var real = Town.Socket(town.Outside, Metadata, protocol, Asked);
        Tool.Run(
            town.Node, "iptables", "-w", "5", "-t", "nat", "-A", "PREROUTING", "-p", protocol.ToString().ToLowerInvariant(),
            "-d", Metadata, "--dport", $"{Asked}", "-j", "DNAT", "--to-destination", $"{Town.Node4}:{Listens}");
        Assert.Equal(IPAddress.Parse(Address.Client4), Ask(town, town.Client, interceptor, Metadata, Asked)); // it sees which pod asks
        Assert.False(real.Poll(0, SelectMode.SelectRead), "the network's metadata service was asked");
    }

    [Theory, MemberData(nameof(Protocols))]
    public void Without_a_rule_the_network_is_asked_with_the_nodes_address(ProtocolType protocol)
    {
        using var town = MetadataTown();
        using var real = Town.Socket(town.Outside, Metadata, protocol, Asked);
        Assert.Equal(IPAddress.Parse(Town.Node4), Ask(town, town.Client, real, Metadata, Asked));
        Assert.Equal(IPAddress.Parse(Town.Node4), Ask(town, town.Server, real, Metadata, Asked));
    }

    /// <summary>
    /// Two pods with the same port to the same place: the stack forwards both as they are, and they are told apart behind it.
    /// </summary>
    [Theory, MemberData(nameof(Protocols))]
    public void Two_pods_with_one_port_get_an_answer_each(ProtocolType protocol)
    {
        using var town = MetadataTown();
        using var real = Town.Socket(town.Outside, Metadata, protocol, Asked);
        foreach (var pod in new[] { town.Client, town.Server, town.Client })
            Assert.Equal(IPAddress.Parse(Town.Node4), Ask(town, pod, real, Metadata, Asked, port: 41000));
    }

    /// <summary>
    /// The stack's FORWARD chain has its say, as with any plugin that routes: an administrator may close the metadata service there.
    /// </summary>
    [Fact]
    public void A_rule_in_FORWARD_closes_it()
    {
        using var town = MetadataTown();
        using var real = Town.Socket(town.Outside, Metadata, ProtocolType.Udp, Asked);
        Tool.Run(
            town.Node, "nft",
            $"add table ip shut; add chain ip shut f {{ type filter hook forward priority 0; }}; add rule ip shut f ip daddr {Metadata} "
                + $"counter drop");
        using var client = Town.Caller(town.Client, v6: false, ProtocolType.Udp);
        client.SendTo("who?"u8, IPEndPoint.Parse($"{Metadata}:{Asked}"));
        Assert.True(
            SpinWait.SpinUntil(() => Shut().Contains("packets 1 ", StringComparison.Ordinal), TimeSpan.FromSeconds(5)),
            town.Programs.Counts());
        Assert.False(real.Poll(0, SelectMode.SelectRead), "it was asked all the same");

        string Shut() => Tool.Run(town.Node, "nft", "list", "table", "ip", "shut");
    }

    /// <summary>NodeLocal DNSCache's own address, on a device of the node.</summary>
    [Theory, MemberData(nameof(Protocols))]
    public void A_server_of_the_node_at_a_link_local_address_is_reached_by_pods(ProtocolType protocol)
    {
        using var town = MetadataTown();
        AddAddress(town.Node, Cache);
        using var cache = Town.Socket(town.Node, Cache, protocol, 53);
        Assert.Equal(IPAddress.Parse(Address.Client4), Ask(town, town.Client, cache, Cache, 53));
    }

    /// <summary>The world has the metadata service; the node's FORWARD chain is open, since it forwards to it.</summary>
    private static Town MetadataTown()
    {
        var town = new Town(ConfigFlags.RedirectPeer | ConfigFlags.Masquerade);
        AddAddress(town.Outside, Metadata);
        Tool.Run(town.Node, "ip", "route", "add", Metadata, "via", Town.Outside4);
        Tool.Run(town.Node, "nft", "delete table inet closed");
        return town;
    }

    private static void AddAddress(NetworkNamespace where, string address)
    {
        using var netlink = RouteNetlink.Open(where);
        netlink.AddAddress(1, IPAddress.Parse(address), 32);
    }

    private static IPAddress Ask(Town town, NetworkNamespace from, Socket server, string address, int asked, int port = 0)
    {
        using var client = Town.Caller(from, v6: false, server.ProtocolType);
        if (port > 0)
            from.Run(() => client.Bind(new IPEndPoint(IPAddress.Any, port)));
        if (server.ProtocolType == ProtocolType.Tcp)
            client.LingerState = new LingerOption(true, 0); // a reset, so that the port is free for the next
        return Echo.Ask(client, server, IPEndPoint.Parse($"{address}:{asked}"), town.Programs);
    }
}
