using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Tests.Services;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

public sealed class UplinkProgramsTests : NodeTest
{
    private static readonly Addr NodeV4 = Addr.Parse("192.0.2.10"), NodeV6 = Addr.Parse("2001:db8::10");

    [Fact]
    public void Devices_become_uplinks_and_cease_to_be() => OnNode(netlink =>
    {
        var first = Device(netlink, "up0");
        var second = Device(netlink, "up1.5"); // a name that could not be pinned
        using var dataplane = NodeDataplane.Open(Ground.Options);
        var report = dataplane.Uplinks.Apply([first, second], NodeV4, null);
        Assert.True(report.Complete, string.Join("; ", report.Errors));
        Assert.Equal(["up0", "up1.5"], report.Attached);
        Assert.Equal(
            [(first.Ifindex, "egress"), (first.Ifindex, "ingress"), (second.Ifindex, "egress"), (second.Ifindex, "ingress")],
            Links().Select(l => (l.Value.Ifindex, l.Key.Split('_')[1])).Order());
        Assert.Equal([(0, NodeV4, default), (first.Ifindex, first.V4!.Value, default), (second.Ifindex, second.V4!.Value, default)],
            Addresses());
        var links = Links();
        report = dataplane.Uplinks.Apply([first, second], NodeV4, null);
        Assert.Equal((0, 0), (report.Attached.Length, report.Detached.Length));
        Assert.Equal(links, Links());
        report = dataplane.Uplinks.Apply([second], NodeV4, NodeV6);
        Assert.Equal([first.Ifindex], report.Detached);
        Assert.All(Links().Values, l => Assert.Equal(second.Ifindex, l.Ifindex));
        Assert.Equal([(0, NodeV4, NodeV6), (second.Ifindex, second.V4!.Value, default)], Addresses());
    });

    [Fact]
    public void A_restart_updates_in_place_before_anybody_applies() => OnNode(netlink =>
    {
        var alive = Device(netlink, "up0");
        var dying = Device(netlink, "up1");
        using (var first = NodeDataplane.Open(Ground.Options))
            first.Uplinks.Apply([alive, dying], NodeV4, null);
        var before = Links();
        netlink.DeleteLink(dying.Ifindex);
        using var second = NodeDataplane.Open(Ground.Options);
        var after = Links();
        Assert.Equal(2, after.Count);
        Assert.All(after, l => Assert.Equal(before[l.Key].Id, l.Value.Id));
        Assert.All(after, l => Assert.NotEqual(before[l.Key].ProgramId, l.Value.ProgramId));
        var report = second.Uplinks.Apply([alive], NodeV4, null);
        Assert.Equal([dying.Ifindex], report.Detached); // its addresses
        Assert.Equal([0, alive.Ifindex], Addresses().Select(a => a.Ifindex));
    });

    [Fact]
    public void A_device_that_is_gone_does_not_hinder_the_others() => OnNode(netlink =>
    {
        var good = Device(netlink, "up0");
        using var dataplane = NodeDataplane.Open(Ground.Options);
        var report = dataplane.Uplinks.Apply([good with { Ifindex = 4711, Name = "ghost" }, good], NodeV4, null);
        Assert.Contains("ghost", Assert.Single(report.Errors).ToString(), StringComparison.Ordinal);
        Assert.Equal(["up0"], report.Attached);
        Assert.Equal(2, Links().Count);
    });

    [Fact]
    public void Without_tcx_the_programs_are_filters_and_former_uplinks_lose_them() => OnNode(netlink =>
    {
        var device = Device(netlink, "up0");
        using var dataplane = NodeDataplane.Open(Ground.Options);
        var pins = new PinLayout(Ground.Options.BpffsRoot);
        using var maps = new MapLoader(pins, Ground.Options, []);
        using var bpf = new ProgramLoader(Ground.Options, maps, default).Load(ProgramLoader.Uplink);
        using var globals = new NodeGlobals(BpfMap.OpenPinned(pins.Map(MapNames.Node)));
        for (var agent = 0; agent < 2; agent++)
        {
            using var uplinks = new UplinkPrograms(pins, bpf, BpfMap.OpenPinned(pins.Map(MapNames.Uplink)), globals, tcx: false);
            Assert.Empty(uplinks.Apply([device], NodeV4, null).Errors);
            Assert.Empty(Links());
            Assert.Empty(uplinks.Apply([], NodeV4, null).Errors);
        }
    });

    [Fact]
    public void The_loopback_device_has_the_program_in_every_mode() => OnNode(netlink =>
    {
        // Without hooks for all that the node sends itself, with them for what is bound to a loopback address and cannot be translated at
        // the socket.
        var device = Device(netlink, "up0");
        foreach (var mode in new[] { SocketLbMode.Off, SocketLbMode.Full, SocketLbMode.HostOnly, SocketLbMode.Off })
        {
            using var dataplane = NodeDataplane.Open(Ground.Options with { SocketLb = mode });
            Assert.Equal([1], AllLinks().Values.Select(l => l.Ifindex)); // before anybody applies: hooks may be gone already
            Assert.Empty(dataplane.Uplinks.Apply([device], NodeV4, null).Errors);
            Assert.Equal([1, device.Ifindex, device.Ifindex], AllLinks().Values.Select(l => l.Ifindex).Order());
            Assert.Empty(dataplane.Uplinks.Apply([], NodeV4, null).Errors);
            Assert.Equal([1], AllLinks().Values.Select(l => l.Ifindex));
            Assert.Empty(dataplane.Notices);
        }
    });

    [Theory]
    [InlineData("198.51.100.99", false)] // elsewhere: by the uplink
    [InlineData("198.51.100.10", true)] // the node itself, as an API server is: answers pass lo
    public void A_connection_that_the_node_made_without_hooks_survives_their_coming(string backend, bool byLoopback) => OnNode(netlink =>
    {
        using var outside = NetworkNamespace.CreateAnonymous();
        var device = Outside(netlink, outside);
        Sysctl.Write("net.ipv4.ip_forward", "1"); // as on every node: routes are not told without
        Sysctl.Write("net.ipv4.conf.lo.accept_local", "1");
        Sysctl.Write("net.ipv4.conf.lo.route_localnet", "1");
        using var listener = device.V4!.Value.ToString() == backend ? Listen(backend) : outside.Run(() => Listen(backend));
        var off = Ground.Options with { SocketLb = SocketLbMode.Off };
        using var client = new TcpClient { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        TcpClient server;
        using (var dataplane = NodeDataplane.Open(off))
        {
            Assert.Empty(dataplane.Uplinks.Apply([device], device.V4, null).Errors);
            Assert.True(dataplane.Services.Apply(DesiredStates.Single("web", 1, "10.96.0.1", backend)).Complete);
            Assert.True(client.ConnectAsync("10.96.0.1", 80).Wait(TimeSpan.FromSeconds(30)), "no connection through tc");
            server = listener.AcceptTcpClient();
            Echo(client, server);
        }
        using (server)
        using (var full = NodeDataplane.Open(Ground.Options))
        {
            Assert.Equal(byLoopback, full.Notices.Any(n => n.Contains("from socket-lb off", StringComparison.Ordinal)));
            Assert.Empty(full.Uplinks.Apply([device], device.V4, null).Errors);
            Echo(client, server);
        }
        client.Close();
        using var later = NodeDataplane.Open(Ground.Options, new LaterTime(TimeSpan.FromDays(2)));
        Assert.Empty(later.Notices);
    });

    private static TcpListener Listen(string address)
    {
        var listener = new TcpListener(IPAddress.Parse(address), 8080);
        listener.Start();
        return listener;
    }

    private static void Echo(TcpClient client, TcpClient server)
    {
        var buffer = new byte[1];
        client.GetStream().WriteByte(42);
        server.GetStream().ReadExactly(buffer);
        Assert.Equal(42, buffer[0]);
        server.GetStream().WriteByte(43);
        client.GetStream().ReadExactly(buffer);
        Assert.Equal(43, buffer[0]);
    }

    private static UplinkDevice Device(RouteNetlink netlink, string name)
    {
        var far = name + "f";
        var veth = netlink.AddVeth(name, far);
        var v4 = IPAddress.Parse($"198.51.100.{veth.Index}");
        netlink.SetUp(veth.Index);
        netlink.SetUp(netlink.FindLink(far)!.Index);
        netlink.AddAddress(veth.Index, v4, 24);
        netlink.ReplaceNeighbour(veth.Index, IPAddress.Parse("198.51.100.99"), netlink.FindLink(far)!.Mac);
        return new UplinkDevice(veth.Index, name, Addr.From(v4), null);
    }

    private List<(int Ifindex, Addr V4, Addr V6)> Addresses()
    {
        using var map = BpfMap.OpenPinned(Path.Combine(Ground.Options.BpffsRoot, "maps", MapNames.Uplink));
        using var globals = new NodeGlobals(BpfMap.OpenPinned(Path.Combine(Ground.Options.BpffsRoot, "maps", MapNames.Node)));
        var own = globals.Read().Own;
        return [(0, own.V4, own.V6), .. map.ReadAll<UplinkKey, Uplink>().Select(e => ((int)e.Key.Ifindex, e.Value.V4, e.Value.V6))
            .OrderBy(e => e.Item1)];
    }

    private SortedDictionary<string, BpfLinkInfo> AllLinks() => PinnedLinks("uplink");

    /// <summary>But for the loopback device's.</summary>
    private SortedDictionary<string, BpfLinkInfo> Links() =>
        new(AllLinks().Where(l => l.Value.Ifindex != 1).ToDictionary(), StringComparer.Ordinal);

    /// <summary>The same clock, later.</summary>
    private sealed class LaterTime(TimeSpan by) : TimeProvider
    {
        public override long GetTimestamp() => System.GetTimestamp() + (long)(by.TotalSeconds * TimestampFrequency);
    }
}
