using System.Net;
using System.Net.Sockets;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Tests.Fixtures;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class BpfLinkTests : PrivilegedTest
{
    private readonly HooksObject _hooks;

    public BpfLinkTests() => _hooks = Own(new HooksObject());

    [Theory]
    [InlineData(TcDirection.Ingress)]
    [InlineData(TcDirection.Egress)]
    public async Task A_tcx_link_sees_packets_and_changes_its_program_in_place(TcDirection direction)
    {
        var veth = Own(new VethPair());
        var ifindex = direction == TcDirection.Ingress ? veth.FarIndex : veth.NearIndex;
        var link = Own(veth.Namespace.Run(() => BpfLink.AttachTcx(Own(_hooks.Program("tc_first")), ifindex, direction)));
        var info = link.Info;
        Assert.Equal((BpfLinkType.Tcx, ifindex), (info.Type, info.Ifindex));
        veth.Send();
        await Eventually.True(() => _hooks.Count(0) > 0, "the first program runs");

        var second = Own(_hooks.Program("tc_second"));
        link.Update(second);
        Assert.Equal(second.Id, link.Info.ProgramId);
        var before = _hooks.Count(0);
        veth.Send();
        await Eventually.True(() => _hooks.Count(1) > 0, "the second program runs");
        Assert.Equal(before, _hooks.Count(0));
    }

    [Fact]
    public async Task A_pinned_link_stays_attached_and_is_adopted()
    {
        var pins = Own(new PinDirectory());
        var veth = Own(new VethPair());
        Assert.False(BpfLink.TryOpenPinned(pins["l"], out _));
        using (var link = veth.Namespace.Run(() => BpfLink.AttachTcx(Own(_hooks.Program("tc_first")), veth.FarIndex, TcDirection.Ingress)))
            link.Pin(pins["l"]);
        veth.Send();
        await Eventually.True(() => _hooks.Count(0) > 0, "the pinned program runs");

        Assert.True(BpfLink.TryOpenPinned(pins["l"], out var adopted));
        Own(adopted);
        adopted.Update(Own(_hooks.Program("tc_second")));
        adopted.Detach();
        adopted.Detach();
        Assert.Equal(0, adopted.Info.Ifindex);
        Assert.Throws<KernelException>(() => BpfMap.OpenPinned(pins["l"]));
    }

    /// <summary>docs/install.md relies on it: who removes the pins has detached the programs.</summary>
    [Fact]
    public async Task A_link_goes_with_its_pin()
    {
        var pins = Own(new PinDirectory());
        var veth = Own(new VethPair());
        var cgroup = Own(new TestCgroup());
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        cgroup.Directory.Add(Environment.ProcessId);
        using (var tcx = veth.Namespace.Run(() => BpfLink.AttachTcx(Own(_hooks.Program("tc_first")), veth.FarIndex, TcDirection.Ingress)))
            tcx.Pin(pins["t"]);
        using (var connect = BpfLink.AttachCgroup(
            Own(_hooks.Program("connect_deny")), cgroup.Directory.DirectoryPath, CgroupAttach.Connect4))
            connect.Pin(pins["c"]);
        Assert.ThrowsAny<SocketException>(() => Connect(listener));
        veth.Send();
        await Eventually.True(() => _hooks.Count(0) > 0, "the pinned program runs");

        File.Delete(pins["c"]);
        File.Delete(pins["t"]);
        await Eventually.True(() => Record.Exception(() => Connect(listener)) is null, "nobody decides about connections any more");
        await Eventually.True(
            () =>
            {
                var before = _hooks.Count(0);
                for (var i = 0; i < 20; i++)
                    veth.Send();
                return _hooks.Count(0) == before;
            },
            "nobody sees packets any more");
    }

    [Fact]
    public void A_link_whose_device_is_gone_says_so()
    {
        var veth = Own(new VethPair());
        var link = Own(veth.Namespace.Run(() => BpfLink.AttachTcx(Own(_hooks.Program("tc_first")), veth.FarIndex, TcDirection.Ingress)));
        veth.Netlink.DeleteLink(veth.NearIndex);
        Assert.Equal(0, link.Info.Ifindex);
        var error = Assert.Throws<KernelException>(() => link.Update(Own(_hooks.Program("tc_second"))));
        Assert.Equal(Errno.ENOLINK, error.Errno);
    }

    [Fact]
    public async Task An_xdp_link_sees_packets()
    {
        var veth = Own(new VethPair());
        var program = Own(_hooks.Program("xdp_first"));
        var link = Own(veth.Namespace.Run(() => BpfLink.AttachXdp(program, veth.FarIndex, XdpMode.Generic)));
        Assert.Equal((BpfLinkType.Xdp, veth.FarIndex, program.Id), (link.Info.Type, link.Info.Ifindex, link.Info.ProgramId));
        veth.Send();
        await Eventually.True(() => _hooks.Count(0) > 0, "the program runs");
        link.Update(program);
        Assert.Throws<KernelException>(() => veth.Namespace.Run(() => BpfLink.AttachXdp(program, veth.FarIndex, XdpMode.Generic)));
    }

    [Fact]
    public void Attaching_to_nothing_names_program_and_place()
    {
        var program = Own(_hooks.Program("tc_first"));
        var error = Assert.Throws<KernelException>(() => BpfLink.AttachTcx(program, int.MaxValue, TcDirection.Egress));
        Assert.Equal(Errno.ENODEV, error.Errno);
        Assert.Contains("attach tc_first to tcx Egress of interface 2147483647", error.Message, StringComparison.Ordinal);
        Assert.Throws<KernelException>(() => BpfLink.AttachXdp(program, 1));
    }

    [Fact]
    public void A_cgroup_link_decides_about_connections_and_changes_in_place()
    {
        var pins = Own(new PinDirectory());
        var cgroup = Own(new TestCgroup());
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        cgroup.Directory.Add(Environment.ProcessId);
        using (var link = BpfLink.AttachCgroup(Own(_hooks.Program("connect_deny")), cgroup.Directory.DirectoryPath, CgroupAttach.Connect4))
        {
            Assert.Equal((BpfLinkType.Cgroup, cgroup.Directory.Id), (link.Info.Type, link.Info.CgroupId));
            Assert.Equal(BpfAttachType.Connect4, link.Info.AttachType);
            Assert.ThrowsAny<SocketException>(() => Connect(listener));
            Assert.Equal(1ul, _hooks.Count(1));
            link.Update(Own(_hooks.Program("connect_allow")));
            link.Pin(pins["c"]);
        }
        Connect(listener);
        Assert.Equal(1ul, _hooks.Count(0));
        Assert.True(BpfLink.TryOpenPinned(pins["c"], out var adopted));
        Own(adopted).Detach();
        Connect(listener);
        Assert.Equal(1ul, _hooks.Count(0));
    }

    [Fact]
    public void A_program_of_another_hook_is_refused()
    {
        var cgroup = Own(new TestCgroup());
        var program = Own(_hooks.Program("connect_allow"));
        Assert.Throws<KernelException>(() => BpfLink.AttachCgroup(program, cgroup.Directory.DirectoryPath, CgroupAttach.Connect6));
        Assert.Throws<KernelException>(() => BpfLink.AttachCgroup(program, "/nonexistent", CgroupAttach.Connect4));
        Assert.Throws<KernelException>(() => BpfLink.AttachCgroup(program, "/proc", CgroupAttach.Connect4));
    }

    private static void Connect(TcpListener listener)
    {
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect((IPEndPoint)listener.LocalEndpoint);
    }
}
