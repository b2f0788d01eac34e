using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Options;
using Ebpf.Cni.Dataplane.Pods;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;

namespace Ebpf.Cni.Dataplane.Tests.Kernel;

public sealed class PodProgramsTests : NodeTest
{
    [Fact]
    public void Attach_is_idempotent_and_detach_forgets() => OnNode(netlink =>
    {
        var veth = netlink.AddVeth("ecni0", "pod0");
        using var dataplane = Open();
        dataplane.Pods.Attach(veth.Index, "ecni0", links: true);
        var links = Links();
        dataplane.Pods.Attach(veth.Index, "ecni0", links: true);
        Assert.Equal(links, Links());
        Assert.Equal([("ecni0_egress", veth.Index), ("ecni0_ingress", veth.Index)], links.Select(l => (l.Key, l.Value.Ifindex)));
        Assert.Equal(["ecni0"], dataplane.Pods.List());
        dataplane.Pods.Detach("ecni0");
        dataplane.Pods.Detach("ecni0");
        Assert.Empty(Links());
    });

    [Fact]
    public void A_restart_updates_links_in_place_and_collects_those_of_dead_interfaces() => OnNode(netlink =>
    {
        var alive = netlink.AddVeth("ecni0", "pod0");
        var dying = netlink.AddVeth("ecni1", "pod1");
        using (var first = Open())
        {
            first.Pods.Attach(alive.Index, "ecni0", links: true);
            first.Pods.Attach(dying.Index, "ecni1", links: true);
        }
        var before = Links();
        netlink.DeleteLink(dying.Index);
        using var second = Open();
        Assert.Equal(["ecni0"], second.Adoption.Adopted);
        Assert.Equal(["ecni1"], second.Adoption.Gone);
        var after = Links();
        Assert.Equal(2, after.Count);
        Assert.All(after, link => Assert.Equal(before[link.Key].Id, link.Value.Id));
        Assert.All(after, link => Assert.NotEqual(before[link.Key].ProgramId, link.Value.ProgramId));
    });

    [Fact]
    public void A_name_that_comes_back_with_another_interface_is_attached_anew() => OnNode(netlink =>
    {
        using var dataplane = Open();
        var old = netlink.AddVeth("ecni0", "pod0");
        dataplane.Pods.Attach(old.Index, "ecni0", links: true);
        netlink.DeleteLink(old.Index);
        var young = netlink.AddVeth("ecni0", "pod0");
        Assert.NotEqual(old.Index, young.Index);
        dataplane.Pods.Attach(young.Index, "ecni0", links: true);
        Assert.All(Links().Values, link => Assert.Equal(young.Index, link.Ifindex));
    });

    [Fact]
    public void Without_links_the_programs_are_filters_that_a_restarted_agent_replaces() => OnNode(netlink =>
    {
        var veth = netlink.AddVeth("ecni0", "pod0");
        using (var first = Open())
        {
            Assert.False(first.Pods.IsAttached(veth.Index, "ecni0"));
            first.Pods.Attach(veth.Index, "ecni0", links: false);
            Assert.True(first.Pods.IsAttached(veth.Index, "ecni0"));
        }
        using var second = Open();
        // At once: the former tables may go as soon as it is open.
        Assert.Equal(["ecni0"], second.Adoption.Adopted);
        Assert.True(second.Pods.IsAttached(veth.Index, "ecni0"));
        using (var third = Open())
            Assert.False(second.Pods.IsAttached(veth.Index, "ecni0")); // the programs are another agent's now
        second.Pods.Attach(veth.Index, "ecni0", links: false);
        Assert.True(second.Pods.IsAttached(veth.Index, "ecni0"));
        Assert.Empty(Links());
        second.Pods.Detach("ecni0");
        ClsactFilter.Detach(veth.Index, TcDirection.Egress, PodPrograms.FilterPriority, PodPrograms.FilterHandle);
        Assert.False(second.Pods.IsAttached(veth.Index, "ecni0")); // one of the two is not enough
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_pod_keeps_the_way_in_which_its_programs_were_attached(bool links) => OnNode(netlink =>
    {
        var veth = netlink.AddVeth("ecni0", "pod0");
        using (var first = Open())
            first.Pods.Attach(veth.Index, "ecni0", links);
        var before = Links();
        Assert.Equal(links ? 2 : 0, before.Count);
        using var second = Open();
        second.Pods.Attach(veth.Index, "ecni0", !links);
        Assert.Equal(before.Select(l => (l.Key, l.Value.Id)), Links().Select(l => (l.Key, l.Value.Id)));
        Assert.True(second.Pods.IsAttached(veth.Index, "ecni0"));
        Assert.Equal(!links, ClsactFilter.Exists(veth.Index, TcDirection.Ingress, PodPrograms.FilterPriority, PodPrograms.FilterHandle));
    });

    [Theory]
    [InlineData("")]
    [InlineData("a.b")]
    [InlineData("../x")]
    [InlineData("a_b")]
    public void Names_that_a_bpffs_or_we_could_misread_are_refused(string name) => OnNode(netlink =>
    {
        var veth = netlink.AddVeth("ecni0", "pod0");
        using var dataplane = Open();
        Assert.Throws<ArgumentException>(() => dataplane.Pods.Attach(veth.Index, name, links: true));
    });

    [Fact]
    public void Routes_of_the_kernel_follow_and_foreign_ones_stay() => OnNode(netlink =>
    {
        var veth = netlink.AddVeth("up0", "up1");
        netlink.AddAddress(veth.Index, IPAddress.Parse("192.0.2.10"), 24);
        netlink.AddAddress(veth.Index, IPAddress.Parse("2001:db8::10"), 64);
        netlink.SetUp(veth.Index);
        netlink.SetUp(netlink.FindLink("up1")!.Index);
        netlink.ReplaceRoute(new Route(IPNetwork.Parse("10.244.7.0/24"), veth.Index) { Gateway = IPAddress.Parse("192.0.2.7") });
        netlink.ReplaceRoute(new Route(IPNetwork.Parse("10.244.0.5/32"), veth.Index) { Protocol = RouteTable.Protocol });
        using var dataplane = Open();
        DesiredRoute v4 = new(IPNetwork.Parse("10.244.1.0/24"), IPAddress.Parse("192.0.2.1"), "b");
        DesiredRoute v6 = new(IPNetwork.Parse("fd00:244:1::/64"), IPAddress.Parse("2001:db8::1"), "b");
        var first = dataplane.Routes.Apply([v4, v6]);
        Assert.Empty(first.Errors);
        Assert.Equal(2, first.Replaced);
        Assert.Equal(0, dataplane.Routes.Apply([v4, v6]).Replaced);
        var moved = dataplane.Routes.Apply(
            [v4 with { Gateway = IPAddress.Parse("192.0.2.2") }, v6 with { Gateway = IPAddress.Parse("2001:db8::2") }]);
        Assert.Equal((2, 0), (moved.Replaced, moved.Deleted));
        Assert.Equal(["192.0.2.2", "2001:db8::2"],
            netlink.Routes(RouteTable.Protocol).Where(r => r.Gateway is not null).Select(r => r.Gateway!.ToString()).Order());
        var unreachable = dataplane.Routes.Apply([new(IPNetwork.Parse("10.244.9.0/24"), IPAddress.Parse("203.0.113.1"), "c")]);
        Assert.Contains("203.0.113.1", Assert.Single(unreachable.Errors).ToString(), StringComparison.Ordinal);
        Assert.Equal(2, unreachable.Deleted);
        Assert.Single(netlink.Routes(RouteTable.Protocol));
        Assert.Contains(netlink.Routes(), r => r.Destination.ToString() == "10.244.7.0/24");
    });

    private NodeDataplane Open() => NodeDataplane.Open(Ground.Options with { SocketLb = SocketLbMode.Off });

    private SortedDictionary<string, BpfLinkInfo> Links() => PinnedLinks("pod");
}
