using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Tests.Fixtures;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

public sealed class LinkTests : PrivilegedTest
{
    private static readonly byte[] Mac = [2, 0, 0, 0, 0, 1], PeerMac = [2, 0, 0, 0, 0, 2];

    private readonly NetworkNamespace _namespace;
    private readonly RouteNetlink _netlink;

    public LinkTests()
    {
        _namespace = Own(NetworkNamespace.CreateAnonymous());
        _netlink = Own(RouteNetlink.Open(_namespace));
    }

    [Fact]
    public void A_new_namespace_has_its_loopback_up()
    {
        var loopback = Assert.Single(_netlink.Links(), link => link.Name == "lo");
        Assert.Equal((1, true), (loopback.Index, loopback.Up));
    }

    [Fact]
    public void A_veth_pair_reaches_into_another_namespace()
    {
        var other = Own(NetworkNamespace.CreateAnonymous());
        var there = Own(RouteNetlink.Open(other));
        var near = _netlink.AddVeth("ebc0", "eth0", other, Mac, PeerMac, mtu: 1400);
        var far = there.FindLink("eth0")!;
        Assert.Null(_netlink.FindLink("eth0"));
        Assert.Equal(("ebc0", "veth", 1400, far.Index), (near.Name, near.Kind, near.Mtu, near.PeerIndex));
        Assert.Equal((near.Index, 1400), (far.PeerIndex, far.Mtu));
        Assert.Equal(Mac, near.Mac);
        Assert.Equal(PeerMac, far.Mac);
        Assert.NotNull(near.PeerNamespaceId);
        Assert.False(near.Up || far.Up);
        _netlink.DeleteLink(near.Index);
        Assert.Null(there.FindLink("eth0"));
    }

    [Fact]
    public async Task A_tunnel_device_is_read_as_it_was_made()
    {
        var made = _netlink.AddVxlan("ebcvx0", 8472, Mac, mtu: 1430);
        Assert.Equal(("vxlan", 1430, true, false), (made.Kind, made.Mtu, made.NoArp, made.Up));
        Assert.Equal(Mac, made.Mac);
        Assert.Equal(new VxlanInfo(8472, External: true, Learning: false), made.Vxlan);
        Assert.Null(_netlink.AddVeth("ebc0", "ebc1").Vxlan);
        _netlink.SetUp(made.Index);
        // it has no address of the kernel's own making, as others have
        var other = _netlink.FindLink("ebc0")!;
        _netlink.SetUp(other.Index);
        _netlink.SetUp(other.PeerIndex);
        await Eventually.True(() => _netlink.Addresses(other.Index).Count > 0, "a link-local address");
        Assert.DoesNotContain(_netlink.Addresses(), a => a.Ifindex == made.Index);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => _netlink.AddVxlan("ebcvx0", 4789, Mac, 1430)).Errno);
    }

    [Fact]
    public async Task An_interface_is_changed_in_every_way()
    {
        var link = _netlink.AddVeth("ebc0", "ebc1");
        var bridge = _netlink.AddBridge("ebcbr0");
        Assert.Equal("bridge", bridge.Kind);
        _netlink.SetMtu(link.Index, 1300);
        _netlink.SetMac(link.Index, Mac);
        _netlink.Rename(link.Index, "ebc9");
        _netlink.SetAlias(link.Index, "pod default/web-0");
        _netlink.SetMaster(link.Index, bridge.Index);
        _netlink.SetUp(link.Index);
        _netlink.SetUp(link.PeerIndex);
        var changed = _netlink.FindLink(link.Index)!;
        Assert.Equal(("ebc9", 1300, "pod default/web-0", bridge.Index), (changed.Name, changed.Mtu, changed.Alias, changed.Master));
        Assert.Equal(Mac, changed.Mac);
        await Eventually.True(() => _netlink.FindLink("ebc9") is { Up: true, Running: true }, "both ends are up");

        _netlink.SetMaster(link.Index, 0);
        _netlink.SetDown(link.Index);
        changed = _netlink.FindLink(link.Index)!;
        Assert.Equal((0, false), (changed.Master, changed.Up));
    }

    [Fact]
    public void An_interface_moves_to_another_namespace()
    {
        var other = Own(NetworkNamespace.CreateAnonymous());
        var there = Own(RouteNetlink.Open(other));
        var link = _netlink.AddVeth("ebc0", "ebc1");
        _netlink.MoveTo(link.Index, other);
        Assert.Null(_netlink.FindLink("ebc0"));
        Assert.NotNull(there.FindLink("ebc0"));
    }

    [Fact]
    public void What_is_not_there_is_null_or_named()
    {
        Assert.Null(_netlink.FindLink("none"));
        Assert.Null(_netlink.FindLink(4711));
        Assert.Null(_netlink.FindLink(0));
        Assert.Equal(Errno.ENODEV, Assert.Throws<KernelException>(() => _netlink.DeleteLink(4711)).Errno);
    }

    [Fact]
    public void A_name_that_is_taken_leaves_nothing_half_made()
    {
        _netlink.AddVeth("ebc0", "ebc1");
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => _netlink.AddVeth("ebc2", "ebc1")).Errno);
        Assert.Null(_netlink.FindLink("ebc2"));
        Assert.Throws<ArgumentException>(() => _netlink.AddBridge("sixteen-letters-"));
        Assert.Throws<ArgumentException>(() => _netlink.SetMac(1, [1, 2, 3]));
    }

    [Fact]
    public void A_refusal_carries_the_kernels_words()
    {
        var error = Assert.Throws<KernelException>(() => _netlink.SetMtu(_netlink.AddVeth("ebc0", "ebc1").Index, 1_000_000));
        Assert.Equal("EINVAL", error.ErrnoName);
        Assert.Contains("mtu", error.Detail, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(error.Detail!, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_interfaces_are_listed()
    {
        for (var i = 0; i < 60; i++)
            _netlink.AddVeth($"ebca{i}", $"ebcb{i}");
        Assert.Equal(120, _netlink.Links().Count(link => link.Kind == "veth"));
    }
}
