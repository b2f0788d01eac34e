using System.Net;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Packets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Bpf.Tests.Fixtures;

/// <summary>
/// A node for test runs with an uplink and default routes. The pods that send are <see cref="Pod"/>, all behind the device of test runs.
/// </summary>
internal sealed class RoutedNode : IDisposable
{
    public const string Node4 = Town.Node4, Node6 = Town.Node6;
    public const string Outside4 = "198.51.100.7", Outside6 = "2001:db8:100::7";
    public const int Pods = 20;

    private const uint LocalTable = 255;

    private readonly Stack<IDisposable> _owned = new();

    public RoutedNode(ConfigFlags flags, int mtu = 1500) : this(new PodPrograms(flags | PodPrograms.Usual), mtu)
    {
    }

    /// <param name="programs">Empty; disposed with this.</param>
    /// <param name="mtu">Of the uplink.</param>
    public RoutedNode(PodPrograms programs, int mtu = 1500)
    {
        Programs = programs;
        _owned.Push(programs);
        try
        {
            Namespace = NetworkNamespace.CreateAnonymous();
            _owned.Push(Namespace);
            Namespace.Run(() =>
            {
                File.WriteAllText("/proc/sys/net/ipv4/ip_forward", "1");
                File.WriteAllText("/proc/sys/net/ipv6/conf/all/forwarding", "1");
            });
            Programs.SetUplink(0, Node4, Node6);
            Programs.SetUplink(AddUplink(mtu), Node4, Node6);
            foreach (var v6 in new[] { false, true })
            {
                for (var i = 0; i < Pods; i++)
                    Programs.AddPod(Pod(v6, i), PodPrograms.ClientIfindex, Macs.Client, Macs.Gateway);
                Programs.AddCluster(v6 ? "fd00:1::/64" : "10.1.0.0/16", IpcacheFlags.Pod | IpcacheFlags.Local);
                Programs.AddCluster(v6 ? "fd00:2::/64" : "10.2.0.0/16", IpcacheFlags.Pod);
                Programs.AddCluster(v6 ? Node6 + "/128" : Node4 + "/32", IpcacheFlags.Node | IpcacheFlags.Local);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public PodPrograms Programs { get; }
    public NetworkNamespace Namespace { get; } = null!;

    public static string Pod(bool v6, int i = 0) => v6 ? $"fd00:1::{0x10 + i:x}" : $"10.1.0.{10 + i}";

    public static string Outside(bool v6) => v6 ? Outside6 : Outside4;

    public static string Node(bool v6) => v6 ? Node6 : Node4;

    /// <summary>The routes refuse what is <see cref="Outside(bool)"/>, or no longer do.</summary>
    public void Refuse(bool v6, RouteType? how)
    {
        using var netlink = RouteNetlink.Open(Namespace);
        var destination = IPNetwork.Parse(v6 ? Outside6 + "/128" : Outside4 + "/32");
        if (how is { } type)
            netlink.ReplaceRoute(new Route(destination, 0) { Type = type });
        else
            foreach (var route in netlink.Routes().Where(r => r.Destination.Equals(destination)))
                netlink.DeleteRoute(route);
    }

    /// <summary>Sent by one of the pods.</summary>
    public BpfTestRunResult Send(Packet packet) => Namespace.Run(() => Programs.Send(packet));

    public BpfTestRunResult Send(byte[] packet) => Namespace.Run(() => Programs.Send(packet));

    /// <summary>From the network.</summary>
    public BpfTestRunResult Arrive(Packet packet) => Namespace.Run(() => Programs.Arrive(packet));

    /// <summary>Sent by the node's own sockets.</summary>
    public BpfTestRunResult Leave(Packet packet) => Namespace.Run(() => Programs.Leave(packet));

    public void Dispose()
    {
        while (_owned.TryPop(out var owned))
            owned.Dispose();
    }

    private int AddUplink(int mtu)
    {
        var network = NetworkNamespace.CreateAnonymous();
        _owned.Push(network);
        using var netlink = RouteNetlink.Open(Namespace);
        using var far = RouteNetlink.Open(network);
        var uplink = netlink.AddVeth("uplink", "eth0", network);
        netlink.SetMtu(uplink.Index, mtu);
        netlink.SetUp(uplink.Index);
        far.SetUp(far.FindLink("eth0")!.Index);
        PodWire.WaitRunning(netlink, "uplink");
        foreach (var (address, bits, gateway, any) in
            new[] { (Node4, 24, Town.Router4, IPAddress.Any), (Node6, 64, Town.Router6, IPAddress.IPv6Any) })
        {
            netlink.AddAddress(uplink.Index, IPAddress.Parse(address), bits);
            netlink.ReplaceRoute(new Route(new IPNetwork(any, 0), uplink.Index) { Gateway = IPAddress.Parse(gateway) });
        }
        // the kernel adds the local route of an IPv6 address from a work queue
        var own = IPAddress.Parse(Node6);
        bool Known() => netlink.Routes(table: LocalTable).Any(r => r.Destination.BaseAddress.Equals(own));
        Assert.True(SpinWait.SpinUntil(Known, TimeSpan.FromSeconds(10)), "the node has no local route for its IPv6 address");
        return uplink.Index;
    }
}
