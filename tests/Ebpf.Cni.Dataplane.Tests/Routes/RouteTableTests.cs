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
        var error = Assert.Single(new RouteTable(kernel).Apply([Route("10.244.0.5/32", "192.0.2.1"), Route("10.244.2.0/24", "192.0.2.2")]).Errors);
        Assert.Contains("not ours", error.ToString(), StringComparison.Ordinal);
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
            var before = netlink.Routes();
            using var kernel = new KernelRoutes();
            var table = new RouteTable(kernel);
            var result = table.Apply([Route(range, "192.0.2.2"), Route("10.244.1.0/24", "192.0.2.2")]);
            Assert.Contains(range, Assert.Single(result.Errors).ToString(), StringComparison.Ordinal);
            Assert.Equal(1, result.Replaced);
            Assert.Equal((1, 0), Counts(table.Apply([Route("10.244.1.0/24", "192.0.2.3")])));
            Assert.Equal((0, 1), Counts(table.Apply([])));
            Assert.Equal(before, netlink.Routes());
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
    public void Failures_are_told_one_by_one_and_owed_to_the_next_apply()
    {
        var random = new Random(Seed.Next());
        var kernel = new FakeRoutes();
        var table = new RouteTable(kernel);
        for (var round = 0; round < 200; round++)
        {
            kernel.Fails = () => random.Next(4) == 0;
            var desired = Enumerable.Range(0, 6).Where(_ => random.Next(2) == 0).Select(i => Route($"10.244.{i}.0/24", $"192.0.2.{random.Next(3)}")).ToArray();
            table.Apply([.. desired]);
            kernel.Fails = () => false;
            Assert.Empty(table.Apply([.. desired]).Errors);
            Assert.Equal(desired.Select(r => (r.Destination, (IPAddress?)r.Gateway)), kernel.Routes.OrderBy(r => r.Destination.BaseAddress.ToString()).Select(r => (r.Destination, r.Gateway)));
        }
    }

    private static (int, int) Counts(RouteResult result)
    {
        Assert.Empty(result.Errors);
        return (result.Replaced, result.Deleted);
    }

    private static DesiredRoute Route(string destination, string gateway) => new(IPNetwork.Parse(destination), IPAddress.Parse(gateway), "other");

    private sealed class FakeRoutes : IRouteKernel
    {
        public List<OwnedRoute> Routes { get; } = [];

        public Func<bool> Fails { get; set; } = () => false;

        public IReadOnlyList<OwnedRoute> Read() => [.. Routes];

        public HashSet<IPNetwork> Foreign { get; } = [];

        public void Add(DesiredRoute route)
        {
            ThrowIfFailing();
            if (Foreign.Contains(route.Destination) || Routes.Exists(r => r.Destination.Equals(route.Destination)))
                throw new KernelException("injected", Errno.EEXIST);
            Routes.Add(new OwnedRoute(route.Destination, route.Gateway, 2));
        }

        public void Replace(DesiredRoute route)
        {
            ThrowIfFailing();
            Assert.Contains(Routes, r => r.Destination.Equals(route.Destination) && r.Gateway is not null);
            Routes.RemoveAll(r => r.Destination.Equals(route.Destination));
            Routes.Add(new OwnedRoute(route.Destination, route.Gateway, 2));
        }

        public void Delete(OwnedRoute route)
        {
            ThrowIfFailing();
            Routes.Remove(route);
        }

        private void ThrowIfFailing()
        {
            if (Fails())
                throw new KernelException("injected", Errno.ENETUNREACH);
        }
    }
}
