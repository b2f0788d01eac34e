using System.Collections.Immutable;
using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Namespaces;
using Ebpf.Cni.Kernel.Netlink;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Routes;

public class RouteTableTests
{
    [Fact]
    public void Pod_routes_are_not_ours_to_touch()
    {
        var kernel = new FakeRoutes { Routes = { new OwnedRoute(IPNetwork.Parse("10.244.0.5/32"), null, 7) } };
        Assert.Equal((0, 0), Counts(new RouteTable(kernel).Apply([])));
        Assert.Single(kernel.Routes);
    }

    [Fact]
    public void A_moved_gateway_is_one_replacement_and_an_unchanged_list_nothing()
    {
        var kernel = new FakeRoutes();
        var table = new RouteTable(kernel);
        Assert.Equal((2, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.1"), Route("fd00:244:1::/64", "2001:db8::1")])));
        Assert.Equal((1, 1), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.9")])));
        Assert.Equal((0, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.9")])));
        Assert.Equal("192.0.2.9", Assert.Single(kernel.Routes).Gateway!.ToString());
    }

    [Fact]
    public void Two_nodes_that_swap_their_ranges_are_two_replacements()
    {
        var kernel = new FakeRoutes();
        var table = new RouteTable(kernel);
        table.Apply([Route("10.244.1.0/24", "192.0.2.1"), Route("10.244.2.0/24", "192.0.2.2")]);
        Assert.Equal((2, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.2"), Route("10.244.2.0/24", "192.0.2.1")])));
    }

    [Fact]
    public void A_pod_route_with_the_destination_of_a_node_is_not_replaced()
    {
        var kernel = new FakeRoutes { Routes = { new OwnedRoute(IPNetwork.Parse("10.244.0.5/32"), null, 7) } };
        var error = Assert.Single(new RouteTable(kernel)
            .Apply([Route("10.244.0.5/32", "192.0.2.1"), Route("10.244.2.0/24", "192.0.2.2")]).Errors);
        Assert.Contains("another route to this destination", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(7, kernel.Routes[0].Ifindex);
        Assert.Equal(2, kernel.Routes.Count);
    }

    [Theory]
    [InlineData("192.0.2.0/24")]
    [InlineData("203.0.113.0/24")]
    public void A_range_that_another_route_has_does_not_cut_the_node_off(string range)
    {
        Requires.Root();
        using var space = NetworkNamespace.CreateAnonymous();
        space.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var uplink = netlink.AddVeth("up", "peer").Index;
            netlink.SetUp(uplink);
            netlink.SetUp(netlink.FindLink("peer")!.Index);
            netlink.AddAddress(uplink, IPAddress.Parse("192.0.2.1"), 24);
            netlink.AddRoute(new Route(IPNetwork.Parse("203.0.113.0/24"), uplink) { Gateway = IPAddress.Parse("192.0.2.9"), Protocol = 4 });
            var before = Chosen(netlink);
            using var kernel = new KernelRoutes();
            var table = new RouteTable(kernel);
            var result = table.Apply([Route(range, "192.0.2.2"), Route("10.244.1.0/24", "192.0.2.2")]);
            Assert.Contains(range, Assert.Single(result.Errors).ToString(), StringComparison.Ordinal);
            Assert.Equal(1, result.Replaced);
            Assert.Equal((1, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.3")])));
            Assert.Equal((0, 1), Counts(table.Apply([])));
            Assert.Equal(before, Chosen(netlink));
        });
    }

    [Fact]
    public void A_second_route_beside_the_right_one_is_removed()
    {
        var destination = IPNetwork.Parse("fd00:244:1::/64");
        var kernel = new FakeRoutes
        {
            Routes = { new(destination, IPAddress.Parse("2001:db8::1"), 2), new(destination, IPAddress.Parse("2001:db8::2"), 2) },
        };
        Assert.Equal((0, 1), Counts(new RouteTable(kernel).Apply([Route("fd00:244:1::/64", "2001:db8::2")])));
        Assert.Equal("2001:db8::2", Assert.Single(kernel.Routes).Gateway!.ToString());
    }

    [Fact]
    public void Tunnel_routes_lead_to_its_device_with_the_nodes_address_as_their_source()
    {
        var kernel = new FakeRoutes { Routes = { new OwnedRoute(IPNetwork.Parse("10.244.0.5/32"), null, 7) } };
        var table = new RouteTable(kernel);
        var tunnel = new TunnelRoute(Tunnel, IPAddress.Parse("192.0.2.10"), null);
        Assert.Equal((2, 0), Counts(table.Apply([Tunnelled("10.244.1.0/24"), Tunnelled("fd00:244:1::/64")], tunnel)));
        Assert.Equal(
            [new OwnedRoute(IPNetwork.Parse("10.244.1.0/24"), null, Tunnel, IPAddress.Parse("192.0.2.10")),
                new OwnedRoute(IPNetwork.Parse("fd00:244:1::/64"), null, Tunnel)],
            kernel.Routes.Skip(1));
        Assert.Equal((0, 0), Counts(table.Apply([Tunnelled("10.244.1.0/24"), Tunnelled("fd00:244:1::/64")], tunnel)));
        // another address of the node, a peer that is reached directly now, and one that is gone
        tunnel = tunnel with { SourceV4 = IPAddress.Parse("192.0.2.11") };
        Assert.Equal((1, 1), Counts(table.Apply([Tunnelled("10.244.1.0/24")], tunnel)));
        Assert.Equal((1, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.1")], tunnel)));
        Assert.Equal((1, 0), Counts(table.Apply([Tunnelled("10.244.1.0/24")], tunnel)));
        Assert.Equal((0, 1), Counts(table.Apply([], tunnel)));
        Assert.Equal(7, Assert.Single(kernel.Routes).Ifindex); // the pod's own
    }

    [Fact]
    public void Without_a_tunnel_its_routes_are_errors_and_the_others_are_made()
    {
        var kernel = new FakeRoutes();
        var result = new RouteTable(kernel).Apply([Tunnelled("10.244.1.0/24"), Route("10.244.2.0/24", "192.0.2.1")]);
        Assert.Contains("10.244.1.0/24 through the tunnel", Assert.Single(result.Errors).ToString(), StringComparison.Ordinal);
        Assert.Equal("10.244.2.0/24", Assert.Single(kernel.Routes).Destination.ToString());
    }

    [Fact]
    public void A_real_kernel_takes_them_and_gives_them_back()
    {
        Requires.Root();
        using var space = NetworkNamespace.CreateAnonymous();
        space.Run(() =>
        {
            using var netlink = RouteNetlink.Open();
            var uplink = netlink.AddVeth("up", "peer").Index;
            netlink.SetUp(uplink);
            netlink.SetUp(netlink.FindLink("peer")!.Index);
            foreach (var (address, bits) in new[] { ("192.0.2.1", 24), ("2001:db8::1", 64) })
                netlink.AddAddress(uplink, IPAddress.Parse(address), bits);
            var device = netlink.AddVxlan("vx", 8472, [2, 0, 0, 0, 0, 1], 1430);
            netlink.SetUp(device.Index);
            var pod = netlink.AddVeth("pod", "eth0").Index;
            netlink.SetUp(pod);
            var host = new Route(IPNetwork.Parse("10.244.0.5/32"), pod) { Protocol = RouteTable.Protocol };
            netlink.AddRoute(host);
            var before = Chosen(netlink);
            using var kernel = new KernelRoutes();
            var table = new RouteTable(kernel);
            var tunnel = new TunnelRoute(device.Index, IPAddress.Parse("192.0.2.1"), IPAddress.Parse("2001:db8::1"));
            // through the tunnel, and IPv4 over a next hop of IPv6
            DesiredRoute[] desired = [Tunnelled("10.244.1.0/24"), Tunnelled("fd00:244:1::/64"), Route("10.244.2.0/24", "2001:db8::2")];
            Assert.Equal((3, 0), Counts(table.Apply([.. desired], tunnel)));
            Assert.Equal((0, 0), Counts(table.Apply([.. desired], tunnel)));
            // all three change their way, and back
            DesiredRoute[] changed = [Route("10.244.1.0/24", "192.0.2.2"), Route("fd00:244:1::/64", "2001:db8::2"),
                Tunnelled("10.244.2.0/24")];
            Assert.Equal((3, 0), Counts(table.Apply([.. changed], tunnel)));
            Assert.Equal((0, 0), Counts(table.Apply([.. changed], tunnel)));
            Assert.Equal((3, 0), Counts(table.Apply([.. desired], tunnel)));
            Assert.Equal((2, 0), Counts(table.Apply([.. desired], tunnel with { SourceV4 = null, SourceV6 = null })));
            Assert.Equal((0, 3), Counts(table.Apply([], tunnel)));
            Assert.Equal(before, Chosen(netlink));
        });
    }

    [Fact]
    public void The_kernel_is_asked_again_only_when_it_told_of_a_change_or_a_write_may_have_been_done()
    {
        var kernel = new FakeRoutes();
        var table = new RouteTable(kernel);
        ImmutableArray<DesiredRoute> desired = [Route("10.244.1.0/24", "192.0.2.1"), Route("10.244.2.0/24", "192.0.2.2")];
        for (var round = 0; round < 10; round++)
            table.Apply(desired);
        for (var round = 0; round < 10; round++)
            Assert.Equal((1, 1), Counts(table.Apply([desired[0], Route($"10.244.{round + 10}.0/24", "192.0.2.2")])));
        Assert.Equal((1, 1), Counts(table.Apply(desired)));
        Assert.Equal(1, table.Reads);

        kernel.Routes.RemoveAt(0);
        kernel.Told = true;
        Assert.Equal((1, 0), Counts(table.Apply(desired)));
        Assert.Equal(2, table.Reads);
        // a refusal has changed nothing, however often
        kernel.Foreign.Add(IPNetwork.Parse("10.244.3.0/24"));
        for (var round = 0; round < 10; round++)
            Assert.Single(table.Apply([.. desired, Route("10.244.3.0/24", "192.0.2.3")]).Errors);
        Assert.Equal(2, table.Reads);
        kernel.Fails = () => true;
        kernel.Error = Errno.ETIMEDOUT;
        Assert.NotEmpty(table.Apply([]).Errors);
        kernel.Fails = () => false;
        Assert.Equal((0, 2), Counts(table.Apply([])));
        Assert.Equal(3, table.Reads);
        table.Forget();
        Assert.Equal((0, 0), Counts(table.Apply([])));
        Assert.Equal(4, table.Reads);
        Assert.False(table.Wants(desired[0].Destination));
        table.Apply(desired);
        Assert.True(table.Wants(desired[0].Destination));
    }

    [Fact]
    public void Failures_are_told_one_by_one_and_owed_to_the_next_apply()
    {
        var random = new Random(Seed.Next());
        var kernel = new FakeRoutes();
        var table = new RouteTable(kernel);
        for (var round = 0; round < 200; round++)
        {
            kernel.Fails = () => random.Next(4) == 0;
            var desired = Enumerable.Range(0, 6).Where(_ => random.Next(2) == 0)
                .Select(i => Route($"10.244.{i}.0/24", $"192.0.2.{random.Next(3)}")).ToArray();
            table.Apply([.. desired]);
            kernel.Fails = () => false;
            Assert.Empty(table.Apply([.. desired]).Errors);
            Assert.Equal(desired.Select(r => (r.Destination, (IPAddress?)r.Gateway)),
                kernel.Routes.OrderBy(r => r.Destination.BaseAddress.ToString()).Select(r => (r.Destination, r.Gateway)));
        }
    }

    private static (int, int) Counts(RouteResult result)
    {
        Assert.Empty(result.Errors);
        return (result.Replaced, result.Deleted);
    }

    /// <summary>All but those that the kernel makes, some of them in its own time.</summary>
    private static List<Route> Chosen(RouteNetlink netlink) => [.. netlink.Routes().Where(r => r.Protocol != 2)];

    private const int Tunnel = FakeRoutes.Tunnel;

    private static DesiredRoute Tunnelled(string destination) => new(IPNetwork.Parse(destination), null, "other");

    private static DesiredRoute Route(string destination, string gateway) =>
        new(IPNetwork.Parse(destination), IPAddress.Parse(gateway), "other");
}
