using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// Two nodes with a pod each, and somebody outside, on a link each around a router that knows no pod: what is not encapsulated does not
/// arrive. All is real but the agents: what they would write is written here. The nodes' FORWARD chains drop everything.
/// </summary>
internal sealed class TunnelTown : IDisposable
{
    public const string Outside4 = "192.168.70.9", Outside6 = "fd00:70::9";

    private const string Forward =
        "add table inet closed; add chain inet closed forward { type filter hook forward priority 0; policy drop; }";

    private readonly Stack<IDisposable> _owned = new();
    private readonly NetworkNamespace _router;
    private readonly bool _strict;

    /// <param name="underlayV6">The nodes talk over IPv6.</param>
    /// <param name="flags">Of both nodes.</param>
    /// <param name="podMtu">Of the pods' links; null: what fits the tunnel.</param>
    /// <param name="strict">The nodes filter by reverse paths, strictly, on all devices.</param>
    public TunnelTown(bool underlayV6, ConfigFlags flags, int? podMtu = null, bool strict = false)
    {
        _strict = strict;
        Requires.Tool("nft");
        Mtu = underlayV6 ? 1430 : 1450;
        try
        {
            _router = Own(NetworkNamespace.CreateAnonymous());
            Forwards(_router);
            Outside = Own(NetworkNamespace.CreateAnonymous());
            Connect(Outside, "outside", Outside4, Outside6, "192.168.70.254", "fd00:70::fe");
            var (first, second) = (new Place(1, "192.168.50", "fd00:50::"), new Place(2, "192.168.60", "fd00:60::"));
            One = new Node(this, first, second, underlayV6, flags, (Address.Client4, Address.Client6), podMtu ?? Mtu);
            Other = new Node(this, second, first, underlayV6, flags, (Address.Remote4, Address.Remote6), podMtu ?? Mtu);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Of packets in the tunnel.</summary>
    public int Mtu { get; }

    /// <summary>Its pod is <see cref="Address.Client"/>.</summary>
    public Node One { get; } = null!;

    /// <summary>Its pod is <see cref="Address.Remote"/>.</summary>
    public Node Other { get; } = null!;

    public NetworkNamespace Outside { get; } = null!;

    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
            owned.Dispose();
    }

    private static int Bits(string address) => IPAddress.Parse(address).GetAddressBytes().Length * 8;

    private static void Forwards(NetworkNamespace where) => where.Run(() =>
    {
        File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
        File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    });

    private int Connect(NetworkNamespace who, string name, string v4, string v6, string router4, string router6)
    {
        using var router = RouteNetlink.Open(_router);
        using var inside = RouteNetlink.Open(who);
        inside.SetUp(1);
        var port = router.AddVeth(name, "eth0", who);
        var eth = inside.FindLink("eth0")!.Index;
        router.SetUp(port.Index);
        inside.SetUp(eth);
        foreach (var (address, gateway, bits) in new[] { (v4, router4, 24), (v6, router6, 64) })
        {
            router.AddAddress(port.Index, IPAddress.Parse(gateway), bits);
            inside.AddAddress(eth, IPAddress.Parse(address), bits);
            inside.ReplaceRoute(new Route(new IPNetwork(bits == 24 ? IPAddress.Any : IPAddress.IPv6Any, 0), eth)
                { Gateway = IPAddress.Parse(gateway) });
        }
        PodWire.WaitRunning(inside, "eth0");
        PodWire.WaitRunning(router, name);
        return eth;
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }

    /// <summary>Where a node is.</summary>
    internal sealed record Place(int Number, string Net4, string Net6)
    {
        public string V4 => Net4 + ".1";
        public string V6 => Net6 + "1";
        public string Pods4 => $"10.{Number}.0.0/16";
        public string Pods6 => $"fd00:{Number}::/64";

        public string Underlay(bool v6) => v6 ? V6 : V4;
    }

    internal sealed class Node
    {
        private readonly TunnelTown _town;
        private readonly Place _place;

        public Node(TunnelTown town, Place place, Place peer, bool underlayV6, ConfigFlags flags, (string V4, string V6) pod, int podMtu)
        {
            (_town, _place) = (town, place);
            Namespace = town.Own(NetworkNamespace.CreateAnonymous());
            Pod = town.Own(NetworkNamespace.CreateAnonymous());
            Programs = town.Own(new PodPrograms(flags | ConfigFlags.TcServices));
            Forwards(Namespace);
            if (town._strict)
                Namespace.Run(() => File.WriteAllText("/proc/sys/net/ipv4/conf/all/rp_filter", "1"));
            Uplink = town.Connect(Namespace, $"node{place.Number}", place.V4, place.V6, place.Net4 + ".254", place.Net6 + "fe");
            Programs.SetUplink(0, place.V4, place.V6);
            Programs.SetUplink(Uplink, place.V4, place.V6);
            Namespace.Run(() =>
            {
                Device = OverlayDevice.Ensure(new OverlayOptions { Mtu = town.Mtu });
                Programs.SetOverlay(Device, town.Mtu);
                Programs.AttachOverlay(Device).ForEach(l => town.Own(l));
                OverlayDevice.SetUp(Device);
                Programs.AttachUplink(Uplink).ForEach(l => town.Own(l));
                Nft(Forward);
            });
            foreach (var (range, own) in new[] { (place.Pods4, place.V4), (place.Pods6, place.V6) })
            {
                Programs.AddCluster(range, IpcacheFlags.Pod | IpcacheFlags.Local);
                Programs.AddCluster($"{own}/{Bits(own)}", IpcacheFlags.Node | IpcacheFlags.Local);
            }
            Know(peer, peer.Underlay(underlayV6));
            PodWire.Join(Namespace, Programs, Pod, "pod", pod.V4, pod.V6, l => town.Own(l), podMtu);
        }

        public NetworkNamespace Namespace { get; }
        public NetworkNamespace Pod { get; }
        public PodPrograms Programs { get; }
        public int Uplink { get; }
        public int Device { get; private set; }

        public string At(bool v6) => _place.Underlay(v6);

        /// <summary>Without socket hooks: tc translates what the node sends, also to itself; as the agent sets it up then.</summary>
        public void TranslateItsOwn() => Namespace.Run(() =>
        {
            _town.Own(Programs.AttachLoopback());
            File.WriteAllText("/proc/sys/net/ipv4/conf/lo/accept_local", "1");
            File.WriteAllText("/proc/sys/net/ipv4/conf/lo/route_localnet", "1");
            File.WriteAllText("/proc/sys/net/ipv4/conf/lo/rp_filter", "2");
        });

        /// <summary>A peer, its pods, and the ways there.</summary>
        private void Know(Place peer, string underlay)
        {
            using var netlink = RouteNetlink.Open(Namespace);
            foreach (var (range, address, own) in new[] { (peer.Pods4, peer.V4, _place.V4), (peer.Pods6, peer.V6, _place.V6) })
            {
                Programs.AddTunnelled(range, IpcacheFlags.Pod, underlay);
                Programs.AddTunnelled($"{address}/{Bits(address)}", IpcacheFlags.Node, underlay);
                netlink.AddRoute(new Route(IPNetwork.Parse(range), Device) { PreferredSource = IPAddress.Parse(own) });
            }
        }
    }

    private static void Nft(string rules)
    {
        using var nft = Process.Start(new ProcessStartInfo("nft", [rules]))!;
        nft.WaitForExit();
        Assert.Equal(0, nft.ExitCode);
    }

    /// <summary>There and back again, in every size; returns whom the server saw.</summary>
    public static IPAddress Converse(Socket client, Socket server, IPEndPoint to, ProtocolType protocol, int bulk)
    {
        client.Connect(to);
        if (protocol == ProtocolType.Tcp)
        {
            using var accepted = server.Accept();
            Transfers.BothWays(client, accepted, bulk);
            Assert.Equal(to, client.RemoteEndPoint);
            return ((IPEndPoint)accepted.RemoteEndPoint!).Address;
        }
        EndPoint from = new IPEndPoint(to.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0);
        var heard = new byte[65536];
        foreach (var size in bulk > 1200 ? new[] { 1, 1200, 3000, 60000 } : [1, 1200])
        {
            var said = new byte[size];
            Random.Shared.NextBytes(said);
            client.Send(said);
            Assert.Equal(size, server.ReceiveFrom(heard, ref from));
            Assert.Equal(said, heard[..size]);
            server.SendTo(heard, size, SocketFlags.None, from);
            Assert.Equal(size, client.Receive(heard));
            Assert.Equal(said, heard[..size]);
        }
        return ((IPEndPoint)from).Address;
    }
}
