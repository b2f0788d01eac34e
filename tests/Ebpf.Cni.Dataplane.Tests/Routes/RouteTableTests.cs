using System.Net;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Routes;
using Ebpf.Cni.Kernel;
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

        public void Replace(DesiredRoute route)
        {
            ThrowIfFailing();
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
