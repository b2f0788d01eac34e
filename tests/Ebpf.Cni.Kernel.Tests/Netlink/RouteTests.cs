using System.Net;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Kernel.Tests.Fixtures;

namespace Ebpf.Cni.Kernel.Tests.Netlink;

/// <summary>Addresses, routes and neighbours on one interface.</summary>
public sealed class RouteTests : PrivilegedTest
{
    private const byte Owner = 0x65;

    private readonly VethPair _veth;
    private readonly RouteNetlink _netlink;
    private readonly int _ifindex;

    public RouteTests()
    {
        _veth = Own(new VethPair());
        _netlink = _veth.Netlink;
        _ifindex = _veth.NearIndex;
    }

    [Theory]
    [InlineData("10.7.0.1", 32)]
    [InlineData("fd07::1", 128)]
    public void Addresses_are_added_listed_and_deleted(string text, int prefix)
    {
        var address = IPAddress.Parse(text);
        _netlink.AddAddress(_ifindex, address, prefix);
        Assert.Equal(Errno.EEXIST, Assert.Throws<KernelException>(() => _netlink.AddAddress(_ifindex, address, prefix)).Errno);
        var found = Assert.Single(_netlink.Addresses(_ifindex), a => a.Address.Equals(address));
        Assert.Equal(new AddressInfo(_ifindex, address, prefix) { Permanent = true }, found);
        _netlink.DeleteAddress(_ifindex, address, prefix);
        Assert.DoesNotContain(_netlink.Addresses(), a => a.Address.Equals(address));
        Assert.Equal(Errno.EADDRNOTAVAIL, Assert.Throws<KernelException>(() => _netlink.DeleteAddress(_ifindex, address, prefix)).Errno);
    }

    [Fact]
    public void Addresses_say_how_far_they_reach_and_which_is_the_first()
    {
        _netlink.AddAddress(_ifindex, IPAddress.Parse("10.7.0.1"), 24);
        _netlink.AddAddress(_ifindex, IPAddress.Parse("10.7.0.2"), 24);
        var found = _netlink.Addresses();
        Assert.False(found.Single(a => a.Address.ToString() == "10.7.0.1").Secondary);
        Assert.True(found.Single(a => a.Address.ToString() == "10.7.0.2").Secondary);
        Assert.Equal(RouteScope.Universe, found.Single(a => a.Address.ToString() == "10.7.0.1").Scope);
        Assert.Equal(RouteScope.Host, found.Single(a => a.Address.Equals(IPAddress.Loopback)).Scope);
        Assert.All(found.Where(a => a.Address.IsIPv6LinkLocal), a => Assert.Equal(RouteScope.Link, a.Scope));
    }

    [Theory]
    [InlineData(0x20, true, false)]
    [InlineData(0x08, false, true)]
    [InlineData(0x80, false, false)]
    public void An_address_that_should_not_be_used_says_so(byte flags, bool deprecated, bool duplicate)
    {
        byte[] message = [10, 64, flags, 0, 3, 0, 0, 0, 20, 0, 1, 0, .. IPAddress.Parse("fd07::1").GetAddressBytes()];
        var found = AddressInfo.Read(message)!;
        Assert.Equal((deprecated, duplicate, 3), (found.Deprecated, found.Duplicate, found.Ifindex));
    }

    [Fact]
    public void An_address_can_come_without_a_route_to_its_network()
    {
        _netlink.AddAddress(_ifindex, IPAddress.Parse("10.8.0.1"), 24, noPrefixRoute: true);
        Assert.DoesNotContain(_netlink.Routes(), route => route.Destination.ToString() == "10.8.0.0/24");
    }

    public static TheoryData<string, string?, bool, int?, uint?> Shapes => new()
    {
        { "10.1.2.3/32", null, false, null, null },
        { "10.2.0.0/16", "10.9.0.2", false, 1380, null },
        { "0.0.0.0/0", "169.254.1.1", true, null, 50u },
        { "fd00:1::/64", null, false, null, null },
        { "fd00:2::1/128", "fe80::ecc:1", true, 1380, null },
        { "::/0", "fe80::ecc:1", true, null, 7u },
        { "10.3.0.0/16", "fe80::ecc:1", true, null, null },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void A_route_comes_back_as_it_was_set(string destination, string? gateway, bool onLink, int? mtu, uint? metric)
    {
        var route = new Route(IPNetwork.Parse(destination), _ifindex)
        {
            Gateway = gateway is null ? null : IPAddress.Parse(gateway),
            OnLink = onLink,
            Mtu = mtu,
            Metric = metric,
            Protocol = Owner,
        };
        _netlink.ReplaceRoute(route);
        _netlink.ReplaceRoute(route);
        Assert.Equal(route, Assert.Single(_netlink.Routes(Owner)));
        _netlink.DeleteRoute(route);
        Assert.Empty(_netlink.Routes(Owner));
        Assert.Equal(Errno.ESRCH, Assert.Throws<KernelException>(() => _netlink.DeleteRoute(route)).Errno);
    }

    [Theory]
    [InlineData("10.4.0.0/16", "10.9.0.2", "10.9.0.3")]
    [InlineData("fd04::/64", "fe80::1", "fe80::2")]
    public void Replacing_changes_the_gateway_in_place(string destination, string first, string second)
    {
        var route = new Route(IPNetwork.Parse(destination), _ifindex) { Gateway = IPAddress.Parse(first), Protocol = Owner };
        _netlink.ReplaceRoute(route);
        _netlink.ReplaceRoute(route with { Gateway = IPAddress.Parse(second) });
        Assert.Equal(IPAddress.Parse(second), Assert.Single(_netlink.Routes(Owner)).Gateway);
    }

    [Fact]
    public void Routes_are_listed_by_owner_and_table()
    {
        var mine = new Route(IPNetwork.Parse("10.5.0.0/16"), _ifindex) { Protocol = Owner, PreferredSource = VethPair.Near };
        var elsewhere = mine with { Table = 1000 };
        var hole = new Route(IPNetwork.Parse("10.6.0.0/16"), 0) { Protocol = Owner, Type = RouteType.Blackhole };
        _netlink.ReplaceRoute(mine);
        _netlink.ReplaceRoute(elsewhere);
        _netlink.ReplaceRoute(hole);
        _netlink.ReplaceRoute(mine with { Destination = IPNetwork.Parse("10.66.0.0/16"), Protocol = 4 });
        Assert.Equal([mine, hole], _netlink.Routes(Owner));
        Assert.Equal([elsewhere], _netlink.Routes(Owner, table: 1000));
        Assert.Contains(_netlink.Routes(), route => route.Protocol == 4);
    }

    [Fact]
    public void A_gateway_that_is_not_on_the_link_is_refused_in_words()
    {
        var route = new Route(IPNetwork.Parse("10.4.0.0/16"), _ifindex) { Gateway = IPAddress.Parse("192.0.2.1") };
        var error = Assert.Throws<KernelException>(() => _netlink.ReplaceRoute(route));
        Assert.Equal(Errno.ENETUNREACH, error.Errno);
        Assert.Contains("gateway", error.Detail, StringComparison.Ordinal);
        Assert.Contains("set the route to 10.4.0.0/16", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Thousands_of_routes_are_listed()
    {
        for (var i = 0; i < 3000; i++)
            _netlink.ReplaceRoute(new Route(new IPNetwork(new IPAddress([10, 100, (byte)(i >> 8), (byte)i]), 32), _ifindex)
                { Protocol = Owner });
        Assert.Equal(3000, _netlink.Routes(Owner).Distinct().Count());
    }

    [Theory]
    [InlineData("169.254.1.1")]
    [InlineData("fe80::ecc:1")]
    public void Neighbours_are_set_replaced_and_deleted(string text)
    {
        var address = IPAddress.Parse(text);
        _netlink.ReplaceNeighbour(_ifindex, address, [2, 0, 0, 0, 0, 1]);
        _netlink.ReplaceNeighbour(_ifindex, address, [2, 0, 0, 0, 0, 2]);
        var found = Assert.Single(_netlink.Neighbours(_ifindex), n => n.Address.Equals(address));
        Assert.True(found.Permanent);
        Assert.Equal([2, 0, 0, 0, 0, 2], found.Mac);
        _netlink.DeleteNeighbour(_ifindex, address);
        Assert.DoesNotContain(_netlink.Neighbours(), n => n.Address.Equals(address) && n.Mac is not null && n.Permanent);
    }
}
