using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Failures;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>In a network namespace of our own, which dies with the test.</summary>
public sealed class NodeOverlayTests : IDisposable
{
    private static readonly OverlayOptions Options = new() { Mtu = 1450, Vni = 7 };

    private readonly Playground _ground = new();
    private readonly NetworkNamespace _node = NetworkNamespace.CreateAnonymous();

    public void Dispose()
    {
        _ground.Dispose();
        _node.Dispose();
    }

    [Fact]
    public void The_device_has_its_settings_its_programs_and_its_place_in_the_table() => OnNode(netlink =>
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var ifindex = dataplane.Overlay.Ensure(Options);
        var link = netlink.FindLink(OverlayOptions.DeviceName)!;
        Assert.Equal((ifindex, true, true, 1450), (link.Index, link.Up, link.NoArp, link.Mtu));
        Assert.Equal(new VxlanInfo(8472, External: true, Learning: false), link.Vxlan);
        Assert.Equal(Sysctl.Read("net/ipv4/conf/all/rp_filter") == "0" ? "0" : "2", Sysctl.Read($"net/ipv4/conf/{link.Name}/rp_filter"));
        Assert.DoesNotContain(netlink.Addresses(ifindex), a => a.Address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6);
        Assert.Equal(["egress", "ingress"], Links().Keys);
        Assert.All(Links().Values, l => Assert.Equal(ifindex, l.Ifindex));
        Assert.Equal(new Abi.Overlay((uint)ifindex, 7, 1450, U16Be.FromHost(8472)), Table());

        var links = Links();
        Assert.Equal(ifindex, dataplane.Overlay.Ensure(Options));
        Assert.Equal(links, Links());
        Assert.Equal(ifindex, dataplane.Overlay.Ensure(Options with { Mtu = 1400, Vni = 8 }));
        Assert.Equal((1400, 8u, 1400u), (netlink.FindLink(ifindex)!.Mtu, Table().Vni, Table().Mtu));

        dataplane.Overlay.Remove();
        dataplane.Overlay.Remove();
        Assert.Null(netlink.FindLink(OverlayOptions.DeviceName));
        Assert.Empty(Links());
        Assert.Equal(default, Table());
    });

    [Theory]
    [InlineData("0", "0", 0), InlineData("1", "2", 1), InlineData("2", "2", 1)]
    public void Reverse_path_filtering_spares_the_tunnel(string everywhere, string there, int addresses) => OnNode(netlink =>
    {
        Sysctl.Write("net/ipv4/conf/all/rp_filter", everywhere);
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var ifindex = dataplane.Overlay.Ensure(Options);
        Assert.Equal(ifindex, dataplane.Overlay.Ensure(Options));
        Assert.Equal(there, Sysctl.Read($"net/ipv4/conf/{OverlayOptions.DeviceName}/rp_filter"));
        var found = netlink.Addresses(ifindex);
        Assert.Equal(addresses, found.Count);
        Assert.All(found, a => Assert.Equal(RouteScope.Host, a.Scope));
    });

    [Fact]
    public void A_device_with_other_settings_is_made_anew_with_the_programs() => OnNode(netlink =>
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var first = dataplane.Overlay.Ensure(Options);
        var second = dataplane.Overlay.Ensure(Options with { Port = 4789 });
        Assert.NotEqual(first, second);
        Assert.Null(netlink.FindLink(first));
        Assert.Equal(4789, netlink.FindLink(second)!.Vxlan!.Port);
        Assert.Equal((uint)second, Table().Ifindex);
        Assert.All(Links().Values, l => Assert.Equal(second, l.Ifindex));
        // somebody deleted it
        netlink.DeleteLink(second);
        Assert.All(Links().Values, l => Assert.Equal(0, l.Ifindex));
        var third = dataplane.Overlay.Ensure(Options);
        Assert.All(Links().Values, l => Assert.Equal(third, l.Ifindex));
        Assert.True(netlink.FindLink(third)!.Up);
    });

    [Fact]
    public void A_restart_replaces_the_programs_in_place() => OnNode(netlink =>
    {
        int ifindex;
        using (var first = NodeDataplane.Open(_ground.Options))
            ifindex = first.Overlay.Ensure(Options);
        var before = Links();
        using (var second = NodeDataplane.Open(_ground.Options))
        {
            var after = Links();
            Assert.All(after, l => Assert.Equal(before[l.Key].Id, l.Value.Id));
            Assert.All(after, l => Assert.NotEqual(before[l.Key].ProgramId, l.Value.ProgramId));
            Assert.Equal(new Abi.Overlay((uint)ifindex, 7, 1450, U16Be.FromHost(8472)), Table());
            Assert.Equal(ifindex, second.Overlay.Ensure(Options));
            Assert.Equal(after, Links());
        }
        netlink.DeleteLink(ifindex);
        using var third = NodeDataplane.Open(_ground.Options);
        Assert.Empty(Links());
    });

    [Fact]
    public void What_others_have_made_is_not_touched() => OnNode(netlink =>
    {
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var foreign = netlink.AddBridge(OverlayOptions.DeviceName).Index;
        Assert.Contains(OverlayOptions.DeviceName, Assert.Throws<DataplaneException>(() => dataplane.Overlay.Ensure(Options)).Message,
            StringComparison.Ordinal);
        dataplane.Overlay.Remove();
        Assert.NotNull(netlink.FindLink(foreign));
        netlink.DeleteLink(foreign);
        netlink.SetUp(netlink.AddVxlan("theirs", Options.Port, [2, 0, 0, 0, 0, 9], 1450).Index);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => dataplane.Overlay.Ensure(Options)).Errno);
        Assert.NotNull(netlink.FindLink("theirs"));
    });

    [Fact]
    public void Without_tcx_the_programs_are_filters() => OnNode(netlink =>
    {
        var device = netlink.AddVxlan("vx", 8472, [2, 0, 0, 0, 0, 1], 1450).Index;
        using var dataplane = NodeDataplane.Open(_ground.Options);
        var pins = new PinLayout(_ground.Options.BpffsRoot);
        using var maps = new MapLoader(pins, _ground.Options, []);
        using var bpf = new ProgramLoader(_ground.Options, maps, default).Load(ProgramLoader.Overlay);
        for (var agent = 0; agent < 2; agent++)
        {
            using var programs = new OverlayPrograms(pins, bpf, tcx: false);
            programs.Apply(device);
            Assert.Empty(Links());
        }
    });

    private Abi.Overlay Table()
    {
        using var globals = new NodeGlobals(BpfMap.OpenPinned(Path.Combine(_ground.Options.BpffsRoot, "maps", MapNames.Node)));
        return globals.Read().Overlay;
    }

    private SortedDictionary<string, BpfLinkInfo> Links()
    {
        var links = new SortedDictionary<string, BpfLinkInfo>(StringComparer.Ordinal);
        foreach (var path in Directory.GetFiles(Path.Combine(_ground.Options.BpffsRoot, "links", "overlay")))
        {
            using var link = BpfLink.OpenPinned(path);
            links.Add(Path.GetFileName(path), link.Info);
        }
        return links;
    }

    private void OnNode(Action<RouteNetlink> test) => _node.Run(() =>
    {
        using var netlink = RouteNetlink.Open();
        test(netlink);
    });
}
