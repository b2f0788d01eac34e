using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>How peers are reached, for random clusters: what has to hold between two nodes, and between routes and prefixes.</summary>
public sealed class WayProperties
{
    [Theory, InlineData(0), InlineData(0.1)]
    public void Routes_and_prefixes_agree(double garbage)
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 300; round++)
        {
            var cluster = new RandomCluster(random, garbage);
            cluster.Grow(40);
            var node = RandomCluster.NodeOf(random, "node-0");
            var state = ClusterCompiler.Compile(cluster.Cluster, node, IdTable.Empty);
            var prefixes = state.Prefixes.ToDictionary(p => (p.Addr, p.PrefixLength));
            foreach (var route in state.Routes)
            {
                var prefix = prefixes[(Addr.From(route.Destination.BaseAddress), route.Destination.PrefixLength)];
                Assert.True(prefix.Flags.HasFlag(IpcacheFlags.Pod));
                Assert.Equal(route.Gateway is null, prefix.Tunnel is not null);
                if (route.Gateway is { } gateway)
                    Assert.Contains(node.Routing.OnLink, n => n.Contains(gateway));
            }
            Assert.True(node.Routing.Mode != RoutingMode.Direct || state.Prefixes.All(p => p.Tunnel is null));
            Assert.True(node.Routing.Mode != RoutingMode.Tunnel || state.Routes.All(r => r.Gateway is null));
            // A narrower prefix never hides what a wider one of the pods says: the table finds the narrowest.
            foreach (var inner in state.Prefixes.Where(p => !p.Flags.HasFlag(IpcacheFlags.Node)))
                foreach (var route in state.Routes.Where(r => Covers(r, inner)))
                    Assert.Equal(route.Gateway is null, inner.Tunnel is not null);
            var own = node.Routing.InternalIPs;
            Assert.All(own, a => Assert.True(!prefixes.TryGetValue((a, a.IsIPv4 ? 32 : 128), out var p) || p.Tunnel is null));
            Assert.All(state.Prefixes, p => Assert.True(p.Tunnel is not { } t || !own.Contains(t)));
        }
    }

    [Fact]
    public void Both_ends_choose_the_same_way()
    {
        var random = new Random(Seed.Next());
        string[] networks = ["192.168.0.0/24", "172.31.0.0/24", "fd00::/64", "fd00:31::/64"];
        for (var round = 0; round < 500; round++)
        {
            var cluster = ClusterSnapshot.Empty;
            foreach (var i in Enumerable.Range(1, 4))
                cluster = cluster with { Nodes = cluster.Nodes.Add($"node-{i}", Node(random, networks, i)) };
            var (mode, underlay) = ((RoutingMode)random.Next(3), (TunnelUnderlay)random.Next(3));
            var states = cluster.Nodes.Keys.ToDictionary(
                n => n, n => ClusterCompiler.Compile(cluster, Of(cluster, n, networks, mode, underlay), IdTable.Empty));
            foreach (var (a, at) in states)
                foreach (var (b, bt) in states.Where(s => s.Key != a))
                    foreach (var ipv4 in new[] { true, false })
                    {
                        var (there, back) = (Way(at, b, ipv4), Way(bt, a, ipv4));
                        Assert.Equal(there is null, back is null);
                        Assert.Equal(there?.Gateway is null, back?.Gateway is null);
                        var (to, from) = (Tunnel(at, b, ipv4), Tunnel(bt, a, ipv4));
                        Assert.Equal(to?.IsIPv4, from?.IsIPv4);
                    }
        }

        static DesiredRoute? Way(DesiredState state, string to, bool ipv4) =>
            state.Routes.SingleOrDefault(r => r.Node == to && Addr.From(r.Destination.BaseAddress).IsIPv4 == ipv4);
        static Addr? Tunnel(DesiredState state, string to, bool ipv4) => Way(state, to, ipv4) is { } way
            ? state.Prefixes.Single(p => p.Addr == Addr.From(way.Destination.BaseAddress)).Tunnel
            : null;
    }

    /// <summary>Each node is in one place, and has addresses of its networks in random order.</summary>
    private static NodeSnapshot Node(Random random, string[] networks, int i)
    {
        var place = random.Next(2);
        string[] addresses = [networks[place].Replace("0/24", $"{i}", StringComparison.Ordinal),
            networks[place + 2].Replace("/64", $"{i}", StringComparison.Ordinal)];
        random.Shuffle(addresses);
        return new NodeSnapshot
        {
            Name = $"node-{i}", PodCidrs = [$"10.244.{i}.0/24", $"fd00:244:{i}::/64"],
                InternalIPs = [.. addresses.Take(random.Next(4) == 0 ? 1 : 2)],
        };
    }

    private static NodeContext Of(ClusterSnapshot cluster, string name, string[] networks, RoutingMode mode, TunnelUnderlay underlay)
    {
        var own = cluster.Nodes[name].InternalIPs.Select(Addr.Parse).ToList();
        return new NodeContext(name)
        {
            Routing = new RoutingContext
            {
                Mode = mode, Underlay = underlay, InternalIPs = [.. own],
                // The link has both families, whether this node's Node object has addresses of both or not.
                OnLink = [.. Enumerable.Range(0, 2).Where(p => own.Exists(a => In(networks[p], a) || In(networks[p + 2], a)))
                    .SelectMany(p => new[] { networks[p], networks[p + 2] }).Select(n => System.Net.IPNetwork.Parse(n))],
            },
        };
    }

    private static bool In(string network, Addr address) => System.Net.IPNetwork.Parse(network).Contains(address.ToIPAddress());

    private static bool Covers(DesiredRoute route, DesiredPrefix prefix) =>
        Addr.From(route.Destination.BaseAddress).IsIPv4 == prefix.Addr.IsIPv4 && route.Destination.PrefixLength <= prefix.PrefixLength
        && route.Destination.Contains(prefix.Addr.ToIPAddress());
}
