using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Route = Ebpf.Cni.Kernel.Netlink.Route;

namespace Ebpf.Cni.Bpf.Tests.Fixtures.Measured;

/// <summary>
/// Devices and routes of a node, for test runs of its programs: two pods' veths, an uplink to another node and to the clients behind it,
/// and the VXLAN device. Neighbours are permanent, so that every FIB lookup succeeds. No program is attached, and no packet is sent.
/// </summary>
internal sealed class MeasuredNode : IDisposable
{
    public const string Node4 = "192.168.50.1", Node6 = "fd00:50::1";
    public const string Peer4 = "192.168.50.2", Peer6 = "fd00:50::2";

    /// <summary>The first external client, in a range for benchmarks (RFC 2544) or documentation (RFC 3849).</summary>
    public const string Outside4 = "198.18.0.1", Outside6 = "2001:db8:18::1";

    public const int TunnelMtu = 1450;

    private readonly NetworkNamespace _far;

    public MeasuredNode()
    {
        Namespace = NetworkNamespace.CreateAnonymous();
        _far = NetworkNamespace.CreateAnonymous();
        try
        {
            Namespace.Run(Forward);
            ClientIfindex = Pod("client", Address.Client4, Address.Client6, Macs.Client, Macs.Gateway);
            ServerIfindex = Pod("server", Address.Server4, Address.Server6, Macs.Server, Macs.ServerGateway);
            UplinkIfindex = Uplink();
            TunnelIfindex = Namespace.Run(() =>
                OverlayDevice.Ensure(new OverlayOptions { Mtu = TunnelMtu, Port = NodeEnd.Port, Vni = NodeEnd.Vni }));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public static MacAddr UplinkMac { get; } = MacAddr.Parse("02:00:00:00:01:01");

    public static MacAddr PeerMac { get; } = MacAddr.Parse("02:00:00:00:01:02");

    public NetworkNamespace Namespace { get; }
    public int ClientIfindex { get; }
    public int ServerIfindex { get; }
    public int UplinkIfindex { get; }
    public int TunnelIfindex { get; }

    public static string Node(bool v6) => v6 ? Node6 : Node4;

    public static string Peer(bool v6) => v6 ? Peer6 : Peer4;

    public static string Outside(bool v6) => v6 ? Outside6 : Outside4;

    public void Dispose()
    {
        Namespace.Dispose();
        _far.Dispose();
    }

    private static void Forward()
    {
        File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
        File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    }

    private int Pod(string name, string v4, string v6, MacAddr pod, MacAddr host)
    {
        using var netlink = RouteNetlink.Open(Namespace);
        var ifindex = Veth(netlink, name, pod, host);
        foreach (var address in new[] { IPAddress.Parse(v4), IPAddress.Parse(v6) })
        {
            netlink.ReplaceRoute(new Route(new IPNetwork(address, address.GetAddressBytes().Length * 8), ifindex));
            netlink.ReplaceNeighbour(ifindex, address, pod.ToBytes());
        }
        return ifindex;
    }

    private int Uplink()
    {
        using var netlink = RouteNetlink.Open(Namespace);
        var ifindex = Veth(netlink, "uplink", PeerMac, UplinkMac);
        foreach (var (own, peer, bits, pods, all) in new[]
        {
            (Node4, Peer4, 24, "10.2.0.0/16", "0.0.0.0/0"), (Node6, Peer6, 64, "fd00:2::/64", "::/0"),
        })
        {
            var gateway = IPAddress.Parse(peer);
            netlink.AddAddress(ifindex, IPAddress.Parse(own), bits);
            netlink.ReplaceNeighbour(ifindex, gateway, PeerMac.ToBytes());
            netlink.ReplaceRoute(new Route(IPNetwork.Parse(pods), ifindex) { Gateway = gateway });
            netlink.ReplaceRoute(new Route(IPNetwork.Parse(all), ifindex) { Gateway = gateway });
        }
        return ifindex;
    }

    private int Veth(RouteNetlink netlink, string name, MacAddr far, MacAddr near)
    {
        using var peer = RouteNetlink.Open(_far);
        var ifindex = netlink.AddVeth(name, name, _far, near.ToBytes(), far.ToBytes()).Index;
        netlink.SetUp(ifindex);
        peer.SetUp(peer.FindLink(name)!.Index);
        return SpinWait.SpinUntil(() => netlink.FindLink(ifindex)!.Running, TimeSpan.FromSeconds(10))
            ? ifindex : throw new InvalidOperationException($"{name} is not running");
    }
}
