using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Routes;

/// <summary>What others do to routes of a real kernel, and what an apply learns of it without reading them all.</summary>
public sealed class RouteWatchTests : IDisposable
{
    private const byte Bird = 12;

    private readonly NetworkNamespace _node;
    private readonly RouteNetlink _others;
    private readonly KernelRoutes _kernel;
    private readonly RouteTable _table;
    private readonly int _uplink, _device;
    private readonly TunnelRoute _tunnel;

    private readonly ImmutableArray<DesiredRoute> _desired =
    [
        new(IPNetwork.Parse("10.244.1.0/24"), IPAddress.Parse("192.0.2.2"), "direct"),
        new(IPNetwork.Parse("10.244.2.0/24"), null, "tunnelled"),
        new(IPNetwork.Parse("fd00:244:1::/64"), IPAddress.Parse("2001:db8::2"), "direct"),
        new(IPNetwork.Parse("fd00:244:2::/64"), null, "tunnelled"),
    ];

    public RouteWatchTests()
    {
        Requires.Root();
        _node = NetworkNamespace.CreateAnonymous();
        _others = RouteNetlink.Open(_node);
        _uplink = _others.AddVeth("up", "peer").Index;
        _others.SetUp(_others.FindLink("peer")!.Index);
        _device = _node.Run(() => _others.AddVxlan("vx", 8472, [2, 0, 0, 0, 0, 1], 1430).Index);
        _others.SetUp(_device);
        GiveAddresses();
        _tunnel = new TunnelRoute(_device, IPAddress.Parse("192.0.2.1"), IPAddress.Parse("2001:db8::1"));
        (_kernel, _table) = _node.Run(() =>
        {
            var kernel = new KernelRoutes();
            return (kernel, new RouteTable(kernel));
        });
        Assert.Equal((4, 0), Apply());
        Assert.Equal((0, 0), Apply());
        Assert.Equal(1, _table.Reads); // its own writes are none of others
    }

    [Fact]
    public void Others_routes_and_pods_come_and_go_without_a_read()
    {
        var pod = _others.AddVeth("pod", "eth0").Index;
        _others.SetUp(pod);
        for (var i = 0; i < 2000; i++)
        {
            var route = new Route(
                IPNetwork.Parse(string.Create(CultureInfo.InvariantCulture, $"172.{16 + i / 250}.{i % 250}.0/24")), _uplink)
            {
                Protocol = Bird,
            };
            _others.AddRoute(route);
            if (i % 2 == 0)
                _others.DeleteRoute(route);
            else if (i % 5 == 0)
                _others.ReplaceRoute(route with { Mtu = 1400 });
            if (i % 20 == 0)
                Assert.Equal((0, 0), Apply());
        }

        var own = new Route(IPNetwork.Parse("10.244.0.5/32"), pod) { Protocol = RouteTable.Protocol };
        _others.AddRoute(own);
        _others.DeleteRoute(own);
        _others.AddRoute(own);
        _others.DeleteLink(pod);
        Assert.Equal((0, 0), Apply());
        Assert.Equal(1, _table.Reads);
    }

    [Theory]
    [InlineData("deleted", 4)]
    [InlineData("changed", 1)]
    [InlineData("beside", 0)]
    [InlineData("uplink down", 2)]
    [InlineData("addresses gone", 2)]
    [InlineData("tunnel down", 2)]
    public void What_is_taken_away_is_put_back_by_the_next_apply_with_one_read(string how, int replaced)
    {
        switch (how)
        {
            case "deleted":
                foreach (var route in Ours())
                    _others.DeleteRoute(route);
                break;
            case "changed":
                _others.ReplaceRoute(Ours().First(r => r.Gateway is not null) with { Gateway = IPAddress.Parse("192.0.2.77") });
                break;
            case "beside":
                _others.AddRoute(new Route(IPNetwork.Parse("10.244.9.0/24"), _uplink)
                {
                    Gateway = IPAddress.Parse("192.0.2.9"), Protocol = RouteTable.Protocol,
                });
                break;
            case "uplink down":
                // Of IPv4 not a word; it is up again before the table looks.
                _others.SetDown(_uplink);
                _others.SetUp(_uplink);
                RestoreIPv6();
                break;
            case "addresses gone":
                foreach (var address in _others.Addresses(_uplink).Where(a => !a.Address.IsIPv6LinkLocal))
                    _others.DeleteAddress(_uplink, address.Address, address.PrefixLength);
                GiveAddresses();
                break;
            default:
                _others.SetDown(_device);
                _others.SetUp(_device);
                break;
        }

        var (put, deleted) = Apply();
        Assert.Equal(4, Ours().Count);
        Assert.InRange(put, replaced, 4); // IPv6's go as well, or not, as the kernel likes
        Assert.Equal(how == "beside" ? 1 : 0, deleted);
        Assert.Equal((0, 0), Apply());
        Assert.Equal(2, _table.Reads);
    }

    [Fact]
    public void One_that_another_has_put_in_the_place_of_ours_is_left_and_told()
    {
        _others.ReplaceRoute(
            new Route(IPNetwork.Parse("10.244.1.0/24"), _uplink) { Gateway = IPAddress.Parse("192.0.2.9"), Protocol = Bird });
        for (var i = 0; i < 3; i++)
            Assert.Contains(
                "another route to this destination", Assert.Single(_table.Apply(_desired, _tunnel).Errors).ToString(),
                StringComparison.Ordinal);
        Assert.Equal(2, _table.Reads);
        _others.DeleteRoute(
            new Route(IPNetwork.Parse("10.244.1.0/24"), _uplink) { Gateway = IPAddress.Parse("192.0.2.9"), Protocol = Bird });
        Assert.Equal((1, 0), Apply());
    }

    [Fact]
    public void Events_that_were_lost_are_a_read()
    {
        // more than fits into a socket: replacements of a route that no table here wants, which the kernel cannot tell apart
        var route = new Route(IPNetwork.Parse("172.16.0.0/24"), _uplink) { Protocol = Bird };
        _others.AddRoute(route);
        for (var i = 0; i < 30_000; i++)
            _others.ReplaceRoute(route with { Mtu = 1300 + i % 100 });
        Assert.Equal((0, 0), Apply());
        Assert.Equal(2, _table.Reads);
        Assert.Equal((0, 0), Apply());
        Assert.Equal(2, _table.Reads);
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _others.Dispose();
        _node.Dispose();
    }

    private (int, int) Apply()
    {
        var result = _table.Apply(_desired, _tunnel);
        Assert.Empty(result.Errors);
        return (result.Replaced, result.Deleted);
    }

    private List<Route> Ours() => [.. _others.Routes(RouteTable.Protocol)];

    private void GiveAddresses()
    {
        _others.SetUp(_uplink);
        _others.AddAddress(_uplink, IPAddress.Parse("192.0.2.1"), 24);
        RestoreIPv6();
    }

    /// <summary>An address of IPv6 goes with its device being switched off.</summary>
    private void RestoreIPv6()
    {
        if (!_others.Addresses(_uplink).Any(a => a.Address.Equals(IPAddress.Parse("2001:db8::1"))))
            _others.AddAddress(_uplink, IPAddress.Parse("2001:db8::1"), 64);
    }
}
