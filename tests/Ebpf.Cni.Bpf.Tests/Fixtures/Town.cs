using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// A node with two pods, on a network with another node (which has a pod's address) and somebody outside, who knows no route to pods. All
/// is real but the agent: what it would write is written by the tests. The node's FORWARD chain drops everything, so what gets through has
/// passed by it.
/// </summary>
internal sealed class Town : IDisposable
{
    public const string Node4 = "192.168.50.1", Node6 = "fd00:50::1";
    public const string Peer4 = "192.168.50.2", Peer6 = "fd00:50::2";
    public const string Front4 = "192.168.50.3", Front6 = "fd00:50::3";
    public const string Router4 = "192.168.50.4", Router6 = "fd00:50::4";
    public const string Outside4 = "192.168.50.9", Outside6 = "fd00:50::9";
    public const string Balancer4 = "203.0.113.7", Balancer6 = "fd00:203::7";

    private const string Forward =
        "add table inet closed; add chain inet closed forward { type filter hook forward priority 0; policy drop; }";

    private readonly Stack<IDisposable> _owned = new();
    private readonly Wires _wires;
    private readonly NetworkNamespace _switch;

    public Town(ConfigFlags flags)
    {
        Requires.Tool("nft");
        _wires = Own(new Wires(flags | ConfigFlags.TcServices));
        try
        {
            _switch = Own(NetworkNamespace.CreateAnonymous());
            Peer = Own(NetworkNamespace.CreateAnonymous());
            Outside = Own(NetworkNamespace.CreateAnonymous());
            using (var netlink = RouteNetlink.Open(_switch))
                netlink.SetUp(netlink.AddBridge("lan").Index);
            Uplink = Connect(Node, "node", Node4, Node6);
            Connect(Peer, "peer", Peer4, Peer6);
            Connect(Outside, "outside", Outside4, Outside6);
            Tell(Node, Address.Remote4, Peer4, Address.Remote6, Peer6);
            Tell(Peer, "10.1.0.0/16", Node4, "fd00:1::/64", Node6);
            Tell(Outside, Balancer4, Node4, Balancer6, Node6);
            using (var netlink = RouteNetlink.Open(Peer))
                foreach (var pod in new[] { Address.Remote4, Address.Remote6 })
                    netlink.AddAddress(1, IPAddress.Parse(pod), Bits(pod));
            Serve(Node, Programs, Uplink, Node4, Node6);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public PodPrograms Programs => _wires.Programs;
    public NetworkNamespace Node => _wires.Node;
    public NetworkNamespace Client => _wires.Client;
    public NetworkNamespace Server => _wires.Server;
    public NetworkNamespace Peer { get; } = null!;
    public NetworkNamespace Outside { get; } = null!;
    public int Uplink { get; }

    public static string NodeAddress(bool v6) => v6 ? Node6 : Node4;
    public static string PeerAddress(bool v6) => v6 ? Peer6 : Peer4;
    public static string FrontAddress(bool v6) => v6 ? Front6 : Front4;
    public static string OutsideAddress(bool v6) => v6 ? Outside6 : Outside4;
    public static string BalancerAddress(bool v6) => v6 ? Balancer6 : Balancer4;

    /// <summary>Without socket hooks: tc translates what the node sends, also to itself; as the agent sets it up then.</summary>
    public void TranslateTheNodesOwn() => Node.Run(() =>
    {
        Own(Programs.AttachLoopback());
        File.WriteAllText("/proc/sys/net/ipv4/conf/lo/accept_local", "1");
        File.WriteAllText("/proc/sys/net/ipv4/conf/lo/route_localnet", "1");
        using var netlink = RouteNetlink.Open();
        // the way to cluster addresses, as any node has one
        netlink.ReplaceRoute(new Route(new IPNetwork(IPAddress.Any, 0), Uplink) { Gateway = IPAddress.Parse(Peer4) });
        netlink.ReplaceRoute(new Route(new IPNetwork(IPAddress.IPv6Any, 0), Uplink) { Gateway = IPAddress.Parse(Peer6) });
    });

    /// <summary>Another node, without pods, which has programs and tables of its own.</summary>
    /// <param name="flags">Its configuration.</param>
    /// <param name="routed">The way to the pods leads by an address that is not known as a node's, as a router's is not.</param>
    public PodPrograms AddFront(ConfigFlags flags, bool routed = false)
    {
        var front = Own(NetworkNamespace.CreateAnonymous());
        var programs = Own(new PodPrograms(flags | ConfigFlags.TcServices));
        var uplink = Connect(front, "front", Front4, Front6);
        if (routed)
            using (var netlink = RouteNetlink.Open(Node))
                foreach (var (address, bits) in new[] { (Router4, 24), (Router6, 64) })
                    netlink.AddAddress(Uplink, IPAddress.Parse(address), bits);
        Tell(front, "10.1.0.0/16", routed ? Router4 : Node4, "fd00:1::/64", routed ? Router6 : Node6);
        front.Run(() =>
        {
            File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
            File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
        });
        Serve(front, programs, uplink, Front4, Front6);
        return programs;
    }

    /// <summary>What comes from outside passes this program before it reaches the node.</summary>
    public BpfLink Tag(BpfProgram program) => Outside.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        return BpfLink.AttachTcx(program, netlink.FindLink("eth0")!.Index, TcDirection.Egress);
    });

    /// <summary>Whoever is outside learns the way to the node's pods.</summary>
    public void ShowPods() => Tell(Outside, "10.1.0.0/16", Node4, "fd00:1::/64", Node6);

    /// <summary>A socket in a namespace; it gives up after a while.</summary>
    public static Socket Socket(NetworkNamespace where, string address, ProtocolType protocol, int port = 0) => where.Run(() =>
    {
        var local = new IPEndPoint(IPAddress.Parse(address), port);
        var socket = new Socket(local.AddressFamily, protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram, protocol)
        {
            ReceiveTimeout = 10_000,
            SendTimeout = 10_000,
        };
        socket.Bind(local);
        if (protocol == ProtocolType.Tcp)
            socket.Listen();
        return socket;
    });

    /// <summary>A socket that chooses its own address.</summary>
    public static Socket Caller(NetworkNamespace where, bool v6, ProtocolType protocol) => where.Run(() =>
        new Socket(v6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork,
            protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram, protocol)
        {
            ReceiveTimeout = 10_000,
            SendTimeout = 10_000,
        });

    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
            owned.Dispose();
    }

    private static int Bits(string address) => IPAddress.Parse(address).GetAddressBytes().Length * 8;

    private static void Nft(string rules)
    {
        using var nft = Process.Start(new ProcessStartInfo("nft", [rules]))!;
        nft.WaitForExit();
        Assert.Equal(0, nft.ExitCode);
    }

    // what the agent writes about the network, and a FORWARD chain that drops
    private void Serve(NetworkNamespace node, PodPrograms programs, int uplink, string v4, string v6)
    {
        foreach (var prefix in new[] { "10.1.0.0/16", "10.2.0.0/16", "fd00:1::/64", "fd00:2::/64" })
            programs.AddCluster(prefix, IpcacheFlags.Pod);
        foreach (var address in new[] { Node4, Peer4, Front4, Node6, Peer6, Front6 })
            programs.AddCluster($"{address}/{Bits(address)}",
                address == v4 || address == v6 ? IpcacheFlags.Node | IpcacheFlags.Local : IpcacheFlags.Node);
        programs.SetUplink(0, v4, v6);
        programs.SetUplink(uplink, v4, v6);
        node.Run(() => programs.AttachUplink(uplink).ForEach(l => Own(l)));
        node.Run(() => Nft(Forward));
    }

    private static void Tell(NetworkNamespace who, string to4, string by4, string to6, string by6)
    {
        using var netlink = RouteNetlink.Open(who);
        var device = netlink.FindLink("eth0")!.Index;
        foreach (var (to, by) in new[] { (to4, by4), (to6, by6) })
            netlink.ReplaceRoute(new Route(IPNetwork.Parse(to.Contains('/', StringComparison.Ordinal) ? to : $"{to}/{Bits(to)}"), device)
                { Gateway = IPAddress.Parse(by) });
    }

    private int Connect(NetworkNamespace who, string name, string v4, string v6)
    {
        using var lan = RouteNetlink.Open(_switch);
        using var inside = RouteNetlink.Open(who);
        inside.SetUp(1);
        var port = lan.AddVeth(name, "eth0", who);
        lan.SetMaster(port.Index, lan.FindLink("lan")!.Index);
        lan.SetUp(port.Index);
        var eth = inside.FindLink("eth0")!.Index;
        inside.SetUp(eth);
        inside.AddAddress(eth, IPAddress.Parse(v4), 24);
        inside.AddAddress(eth, IPAddress.Parse(v6), 64);
        Assert.True(
            SpinWait.SpinUntil(() => inside.FindLink("eth0")!.Running && lan.FindLink(name)!.Running, TimeSpan.FromSeconds(10)),
            $"{name} is not running");
        return eth;
    }

    private T Own<T>(T resource) where T : IDisposable
    {
        _owned.Push(resource);
        return resource;
    }
}
