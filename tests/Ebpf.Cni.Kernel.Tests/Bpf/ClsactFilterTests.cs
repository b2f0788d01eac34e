using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Tests.Fixtures;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Kernel.Tests.Bpf;

public sealed class ClsactFilterTests : PrivilegedTest
{
    private const uint Priority = 1, Handle = 0xebc;

    private readonly HooksObject _hooks;
    private readonly VethPair _veth;

    public ClsactFilterTests()
    {
        _hooks = Own(new HooksObject());
        _veth = Own(new VethPair());
    }

    [Theory]
    [InlineData(TcDirection.Ingress)]
    [InlineData(TcDirection.Egress)]
    public async Task A_filter_sees_packets_is_replaced_in_place_and_detached(TcDirection direction)
    {
        var ifindex = direction == TcDirection.Ingress ? _veth.FarIndex : _veth.NearIndex;
        Attach("tc_first", ifindex, direction);
        _veth.Send();
        await Eventually.True(() => _hooks.Count(0) > 0, "the first program runs");

        Attach("tc_second", ifindex, direction);
        var first = _hooks.Count(0);
        _veth.Send();
        await Eventually.True(() => _hooks.Count(1) > 0, "the second program runs");
        Assert.Equal(first, _hooks.Count(0));

        Detach(ifindex, direction);
        var second = _hooks.Count(1);
        // a filter that is still there sees what leaves before a filter on another interface does
        Attach("tc_first", direction == TcDirection.Ingress ? _veth.NearIndex : _veth.FarIndex,
            direction == TcDirection.Ingress ? TcDirection.Egress : TcDirection.Ingress);
        _veth.Send();
        await Eventually.True(() => _hooks.Count(0) > first, "the control program runs");
        Assert.Equal(second, _hooks.Count(1));
    }

    [Fact]
    public void Detaching_what_is_not_there_is_no_error()
    {
        Detach(_veth.FarIndex, TcDirection.Ingress);
        Attach("tc_first", _veth.FarIndex, TcDirection.Ingress);
        Detach(_veth.FarIndex, TcDirection.Egress);
        Detach(_veth.FarIndex, TcDirection.Ingress);
        Detach(_veth.FarIndex, TcDirection.Ingress);
        Detach(int.MaxValue, TcDirection.Ingress);
    }

    [Fact]
    public void A_filter_is_found_where_it_is_and_nowhere_else()
    {
        Assert.False(Exists(_veth.FarIndex, TcDirection.Ingress));
        Attach("tc_first", _veth.FarIndex, TcDirection.Ingress);
        Assert.True(Exists(_veth.FarIndex, TcDirection.Ingress));
        Assert.False(Exists(_veth.FarIndex, TcDirection.Egress));
        Assert.False(Exists(_veth.FarIndex, TcDirection.Ingress, handle: Handle + 1));
        Assert.False(Exists(_veth.FarIndex, TcDirection.Ingress, Priority + 1));
        Assert.False(Exists(int.MaxValue, TcDirection.Ingress));
        Detach(_veth.FarIndex, TcDirection.Ingress);
        Assert.False(Exists(_veth.FarIndex, TcDirection.Ingress));
    }

    [Fact]
    public void An_ingress_qdisc_in_the_way_is_named_and_nothing_is_put_into_it()
    {
        _veth.Namespace.Run(() =>
        {
            var name = NameOf(_veth.FarIndex);
            using var tc = System.Diagnostics.Process.Start("tc", ["qdisc", "add", "dev", name, "ingress"])!;
            tc.WaitForExit();
            Assert.Equal(0, tc.ExitCode);
        });
        var error = Assert.Throws<KernelException>(() => Attach("tc_first", _veth.FarIndex, TcDirection.Egress));
        Assert.Equal(Errno.EEXIST, error.Errno);
        Assert.Contains("ingress qdisc", error.Message, StringComparison.Ordinal);
        Assert.False(Exists(_veth.FarIndex, TcDirection.Egress));
    }

    [Fact]
    public void The_program_of_a_filter_is_told()
    {
        using var program = _hooks.Program("tc_first");
        _veth.Namespace.Run(() => ClsactFilter.Attach(program, _veth.FarIndex, TcDirection.Ingress, Priority, Handle));
        Assert.Equal(program.Id,
            _veth.Namespace.Run(() => ClsactFilter.FindProgram(_veth.FarIndex, TcDirection.Ingress, Priority, Handle)));
        Assert.Null(_veth.Namespace.Run(() => ClsactFilter.FindProgram(_veth.FarIndex, TcDirection.Egress, Priority, Handle)));
    }

    [Fact]
    public void An_interface_that_is_not_there_is_named()
    {
        var error = Assert.Throws<KernelException>(() => Attach("tc_first", 4711, TcDirection.Ingress));
        Assert.Equal(Errno.ENODEV, error.Errno);
        Assert.Contains("4711", error.Message, StringComparison.Ordinal);
    }

    private static string NameOf(int ifindex)
    {
        using var netlink = RouteNetlink.Open();
        return netlink.FindLink(ifindex)!.Name;
    }

    private void Attach(string program, int ifindex, TcDirection direction) =>
        _veth.Namespace.Run(() => ClsactFilter.Attach(Own(_hooks.Program(program)), ifindex, direction, Priority, Handle));

    private bool Exists(int ifindex, TcDirection direction, uint priority = Priority, uint handle = Handle) =>
        _veth.Namespace.Run(() => ClsactFilter.Exists(ifindex, direction, priority, handle));

    private void Detach(int ifindex, TcDirection direction) =>
        _veth.Namespace.Run(() => ClsactFilter.Detach(ifindex, direction, Priority, Handle));
}
