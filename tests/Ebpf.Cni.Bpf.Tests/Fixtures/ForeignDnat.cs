using System.Globalization;
using System.Net;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// Ports of a node that another component leads to a pod, by rules of netfilter: the portmap plugin's and CRI-O's hostPorts.
/// </summary>
internal static class ForeignDnat
{
    public const int HostPort = 18080, ContainerPort = 8080;

    /// <summary>As both write it: for what arrives, and for what the node itself sends.</summary>
    public static void Lead(NetworkNamespace node, string to)
    {
        var program = to.Contains(':', StringComparison.Ordinal) ? "ip6tables" : "iptables";
        Requires.Tool(program);
        foreach (var chain in new[] { "PREROUTING", "OUTPUT" })
            foreach (var protocol in new[] { "tcp", "udp" })
                Tool.Run(
                    node, program, "-w", "5", "-t", "nat", "-A", chain, "-p", protocol, "--dport",
                    HostPort.ToString(CultureInfo.InvariantCulture),
                    "-m", "addrtype", "--dst-type", "LOCAL", "-j", "DNAT", "--to-destination", Address.At(to, ContainerPort));
    }

    /// <summary>A namespace at a plain veth of the node, which no program of ours is on: what the rules do by themselves.</summary>
    public static NetworkNamespace AddPlain(NetworkNamespace node, string v4, string v6)
    {
        var plain = NetworkNamespace.CreateAnonymous();
        using var netlink = RouteNetlink.Open(node);
        using var inside = RouteNetlink.Open(plain);
        netlink.AddVeth("plain", "eth0", plain);
        var (host, eth) = (netlink.FindLink("plain")!, inside.FindLink("eth0")!);
        netlink.SetUp(host.Index);
        inside.SetUp(eth.Index);
        foreach (var (text, gateway) in new[] { (v4, Address.Gateway4), (v6, Address.Gateway6) })
        {
            var address = IPAddress.Parse(text);
            var bits = address.GetAddressBytes().Length * 8;
            inside.AddAddress(eth.Index, address, bits);
            inside.ReplaceNeighbour(eth.Index, IPAddress.Parse(gateway), host.Mac);
            var everywhere = new IPNetwork(bits == 32 ? IPAddress.Any : IPAddress.IPv6Any, 0);
            inside.ReplaceRoute(new Route(everywhere, eth.Index) { Gateway = IPAddress.Parse(gateway), OnLink = true });
            netlink.ReplaceRoute(new Route(new IPNetwork(address, bits), host.Index));
            netlink.ReplaceNeighbour(host.Index, address, eth.Mac);
        }

        PodWire.WaitRunning(netlink, "plain");
        PodWire.WaitRunning(inside, "eth0");
        return plain;
    }
}
