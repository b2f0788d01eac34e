using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Cluster;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Dataplane.Overlay;
using Ebpf.Cni.Dataplane.Removal;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Dataplane.Uplinks;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Host;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

/// <summary>What a dataplane has on a node goes, whatever the kernel attached it by; what others have there stays.</summary>
public sealed class DataplaneRemovalTests : NodeTest
{
    private const uint OthersPriority = 5, OthersHandle = 9;
    private static readonly Addr NodeV4 = Addr.Parse("192.0.2.10");

    [Fact]
    public void Hooks_links_the_tunnel_routes_and_tables_go() => OnNode(netlink =>
    {
        var uplink = Veth(netlink, "up0");
        var pod = Veth(netlink, "pod0");
        using (var dataplane = NodeDataplane.Open(Ground.Options))
        {
            Assert.Empty(dataplane.Uplinks.Apply([new UplinkDevice(uplink, "up0", NodeV4, null)], NodeV4, null).Errors);
            dataplane.Pods.Attach(pod, "linked", links: true);
            dataplane.Overlay.Ensure(new OverlayOptions { Mtu = 1400 });
        }

        netlink.SetUp(uplink);
        netlink.AddRoute(new Route(System.Net.IPNetwork.Parse("10.9.0.0/16"), uplink) { Protocol = RouteTable.Protocol });
        netlink.AddRoute(new Route(System.Net.IPNetwork.Parse("10.8.0.0/16"), uplink) { Protocol = 4 });
        var report = Remove();
        Assert.Empty(report.Failures);
        Assert.Empty(report.Left);
        Assert.Equal(
            [
                "12 socket hooks", "3 programs on uplinks and lo (tcx links)", "2 programs on the tunnel's device (tcx links)",
                "2 programs on pods' interfaces (tcx links)", "interface ebc-vxlan", "1 routes of protocol 101",
                $"all tables in {Ground.Options.BpffsRoot}",
            ],
            report.Removed);
        Assert.False(Directory.Exists(Ground.Options.BpffsRoot));
        Assert.Null(netlink.FindLink(OverlayOptions.DeviceName));
        Assert.Equal(["10.8.0.0/16"], netlink.Routes().Where(r => r.Destination.PrefixLength == 16).Select(r => r.Destination.ToString()));
        Assert.Empty(Remove().Removed);
    });

    [Fact]
    public void Filters_go_and_a_qdisc_goes_with_them_only_if_an_agent_made_it_and_nobody_uses_it() => OnNode(netlink =>
    {
        var (own, shared, others) = (Veth(netlink, "own0"), Veth(netlink, "shared0"), Veth(netlink, "others0"));
        using (var dataplane = NodeDataplane.Open(Ground.Options))
        {
            var pins = new PinLayout(Ground.Options.BpffsRoot);
            using var maps = new MapLoader(pins, Ground.Options, []);
            using var bpf = new ProgramLoader(Ground.Options, maps, default).Load(ProgramLoader.Uplink);
            using var program = bpf.GetProgram("ebc_host_egress");
            // others0 had a qdisc, and a filter in it, before; shared0 got another program's filter afterwards
            Assert.True(ClsactFilter.Attach(program, others, TcDirection.Egress, OthersPriority, OthersHandle));
            Assert.False(ClsactFilter.Attach(program, others, TcDirection.Egress, OthersPriority, OthersHandle));
            using var globals = new NodeGlobals(BpfMap.OpenPinned(pins.Map(MapNames.Node)));
            using var uplinks = new UplinkPrograms(pins, bpf, BpfMap.OpenPinned(pins.Map(MapNames.Uplink)), globals, tcx: false);
            var devices = new[] { own, shared, others }.Select(i => new UplinkDevice(i, $"{i}", NodeV4, null));
            Assert.Empty(uplinks.Apply([.. devices], NodeV4, null).Errors);
            ClsactFilter.Attach(program, shared, TcDirection.Ingress, OthersPriority, OthersHandle);
        }

        var report = Remove();
        Assert.Empty(report.Failures);
        Assert.All(["own0", "shared0", "others0"], name => Assert.Contains($"2 programs on {name} (clsact filters)", report.Removed));
        Assert.Contains("1 programs on lo (clsact filters)", report.Removed);
        Assert.Contains("clsact qdisc of own0", report.Removed);
        Assert.Contains("clsact qdisc of lo", report.Removed);
        Assert.StartsWith("the clsact qdisc of shared0: filters of other programs", Assert.Single(report.Left), StringComparison.Ordinal);
        Assert.Equal((false, true, true), (ClsactFilter.HasQdisc(own), ClsactFilter.HasQdisc(shared), ClsactFilter.HasQdisc(others)));
        Assert.True(ClsactFilter.Exists(shared, TcDirection.Ingress, OthersPriority, OthersHandle));
        Assert.True(ClsactFilter.Exists(others, TcDirection.Egress, OthersPriority, OthersHandle));
        Assert.True(ClsactFilter.HasNoFilter(own));
        Assert.False(ClsactFilter.HasNoFilter(others));
    });

    /// <summary>As after an agent that recorded nothing.</summary>
    [Fact]
    public void An_empty_qdisc_that_may_be_anothers_is_left_and_named() => OnNode(netlink =>
    {
        var pod = Veth(netlink, "pod0");
        using (var dataplane = NodeDataplane.Open(Ground.Options))
            dataplane.Pods.Attach(pod, "filtered", links: false);
        var report = Remove();
        Assert.Contains("2 programs on pod0 (clsact filters)", report.Removed);
        Assert.Contains("tc qdisc del dev pod0 clsact", Assert.Single(report.Left), StringComparison.Ordinal);
        Assert.True(ClsactFilter.HasQdisc(pod) && ClsactFilter.HasNoFilter(pod));
        ClsactFilter.DeleteQdisc(pod);
        Assert.False(ClsactFilter.HasQdisc(pod));
        ClsactFilter.DeleteQdisc(pod);
    });

    /// <summary>Without it, a repetition would take the agent's qdiscs for another program's.</summary>
    [Fact]
    public void The_record_of_qdiscs_stays_until_a_removal_is_complete() => OnNode(_ =>
    {
        NodeDataplane.Open(Ground.Options).Dispose();
        var pins = new PinLayout(Ground.Options.BpffsRoot);
        pins.RecordQdisc(7);
        var failed = new RemovalReport();
        failed.Fail("clsact filters on up0", "busy");
        DataplaneRemoval.Run(Ground.Options.BpffsRoot, failed);
        Assert.False(Directory.Exists(pins.Maps));
        Assert.True(pins.MadeQdisc(7));
        Assert.Equal([$"{Ground.Options.BpffsRoot} with qdiscs: for the next attempt"], failed.Left);
        Assert.Empty(Remove().Left);
        Assert.False(Directory.Exists(Ground.Options.BpffsRoot));
    });

    /// <summary>The option may name a directory that other components use too.</summary>
    [Fact]
    public void Pins_of_others_stay() => OnNode(_ =>
    {
        NodeDataplane.Open(Ground.Options).Dispose();
        var others = Path.Combine(Ground.Options.BpffsRoot, "others");
        Directory.CreateDirectory(others);
        var report = Remove();
        Assert.Empty(report.Failures);
        Assert.Equal([$"{Ground.Options.BpffsRoot} with others: no agent made them"], report.Left);
        Assert.Equal([others], Directory.GetFileSystemEntries(Ground.Options.BpffsRoot));
        Directory.Delete(others);
    });

    [Fact]
    public void A_directory_that_is_in_no_bpffs_is_not_touched() => OnNode(_ =>
    {
        using var directory = new TemporaryDirectory();
        Directory.CreateDirectory(directory["maps"]);
        var report = new RemovalReport();
        DataplaneRemoval.Run(directory.Path, report);
        Assert.Empty(report.Failures);
        Assert.Empty(report.Removed);
        Assert.StartsWith($"{directory.Path}: it is in no bpffs", Assert.Single(report.Left), StringComparison.Ordinal);
        Assert.True(Directory.Exists(directory["maps"]));
    });

    [Fact]
    public void A_bpffs_that_is_mounted_at_the_root_itself_is_emptied_and_stays() => OnNode(_ =>
    {
        using var directory = new TemporaryDirectory();
        BpfFileSystem.Mount(directory.Path);
        try
        {
            Directory.CreateDirectory(directory["maps"]);
            var report = new RemovalReport();
            DataplaneRemoval.Run(directory.Path, report);
            Assert.Empty(report.Failures);
            Assert.Equal([$"all tables in {directory.Path}"], report.Removed);
            Assert.Equal([$"{directory.Path}: it is empty, and a mount point"], report.Left);
        }
        finally
        {
            Mounting.Detach(directory.Path);
        }
    });

    private static int Veth(RouteNetlink netlink, string name) => netlink.AddVeth(name, $"far-{name}").Index;

    private RemovalReport Remove()
    {
        var report = new RemovalReport();
        DataplaneRemoval.Run(Ground.Options.BpffsRoot, report);
        return report;
    }
}
