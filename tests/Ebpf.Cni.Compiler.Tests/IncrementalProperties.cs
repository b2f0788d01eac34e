using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

/// <summary>
/// Random histories: what came before, and what is known about it, changes no result; what is told about the difference is true.
/// </summary>
public sealed class IncrementalProperties
{
    [Theory, InlineData(0), InlineData(0.1)]
    public void At_every_step_the_result_is_that_of_a_compile_from_nothing(double garbage)
    {
        var random = new Random(Seed.Next());
        var cluster = new RandomCluster(random, garbage);
        var compiler = new IncrementalCompiler();
        var (ids, node) = (IdTable.Empty, RandomCluster.NodeOf(random, "node-0"));
        var compiled = ClusterSnapshot.Empty;
        for (var step = 0; step < 600; step++)
        {
            cluster.Step();
            // now and then the node is another one; sometimes only in its hostPorts, which services do not see
            var other = RandomCluster.NodeOf(random, $"node-{random.Next(3)}");
            node = random.Next(40) switch
            {
                0 => other,
                < 5 => node with { HostPorts = other.HostPorts },
                5 => node with { MasqueradeExempt = other.MasqueradeExempt },
                _ => node,
            };
            var snapshot = Told(random, compiled, cluster.Cluster);
            var fresh = ClusterCompiler.Compile(cluster.Cluster, node, ids);
            var incremental = compiler.Compile(snapshot, node, ids);
            compiled = snapshot;
            Assert.Equal(DesiredStateText.Write(fresh), DesiredStateText.Write(incremental));
            Assert.Equal(fresh, incremental);
            Assert.Equal(fresh.ServerCandidates, incremental.ServerCandidates);
            StateRules.Check(incremental);
            // now and then an apply fails and the ids of an earlier state are handed in again
            if (random.Next(10) != 0)
                ids = incremental.Ids;
        }
    }

    [Theory, InlineData(0), InlineData(0.1)]
    public void Resolved_one_by_one_claims_and_ids_come_out_as_resolved_all_at_once(double garbage)
    {
        var random = new Random(Seed.Next());
        var compiler = new IncrementalCompiler();
        var cluster = new RandomCluster(random, garbage);
        var ids = IdTable.Empty with { Next = uint.MaxValue - 50 };
        for (var step = 0; step < 400; step++)
        {
            cluster.Step();
            var node = RandomCluster.NodeOf(random, "node-0");
            if (random.Next(20) == 0)
                ids = ResolutionModel.Restored(compiler.Compile(cluster.Cluster, node, ids), random);
            var state = compiler.Compile(cluster.Cluster, node, ids);
            ResolutionModel.Check(cluster.Cluster, node, ids, state);
            ids = state.Ids;
        }
    }

    [Fact]
    public void What_is_told_of_a_change_holds_all_that_differs_and_what_is_equal_is_the_same_object()
    {
        var random = new Random(Seed.Next());
        var cluster = new RandomCluster(random);
        var compiler = new IncrementalCompiler();
        var node = RandomCluster.NodeOf(random, "node-0");
        var (before, compiled) = (DesiredState.Empty, ClusterSnapshot.Empty);
        for (var step = 0; step < 400; step++)
        {
            cluster.Step();
            if (random.Next(20) == 0)
                node = RandomCluster.NodeOf(random, "node-0");
            var snapshot = Told(random, compiled, cluster.Cluster);
            var after = compiler.Compile(snapshot, node, before.Ids);
            compiled = snapshot;
            if (ReferenceEquals(before, after))
                continue;
            Check(before.Ports, after.Ports, after.PortChanges, step);
            Check(before.ChecksByService, after.ChecksByService, after.CheckChanges, step);
            Check(before.IssuesByKey, after.IssuesByKey, after.IssueChanges, step);
            Assert.Equal(
                after.PortsSince(before).ToHashSet(), (after with { PortChanges = null }).PortsSince(before).ToHashSet());
            foreach (var (_, port) in after.Ports)
                if (before.Ports.TryGetValue(port.Name, out var known))
                {
                    Assert.True(ReferenceEquals(known, port) == known.Equals(port), $"{port.Name}");
                    Assert.All(port.Segments, s => Assert.True(
                        known.Segments.All(k => !k.Equals(s)) || known.Segments.Contains(s, ReferenceEqualityComparer.Instance)));
                }
            before = after;
        }
    }

    [Fact]
    public void One_endpoint_of_many_services_is_one_port()
    {
        var cluster = Synthetic.Cluster(2_000, 4);
        var compiler = new IncrementalCompiler();
        var node = new NodeContext("node-0");
        var before = compiler.Compile(cluster, node, IdTable.Empty);
        var slice = Synthetic.Slice(42, 3);
        var after = compiler.Compile(
            cluster with
            {
                EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice),
                ServiceChanges = new(cluster.Services, []),
                SliceChanges = new(cluster.EndpointSlices, [slice.Name]),
            }, node, before.Ids);
        Assert.Same(before.Ports, after.PortChanges!.Since);
        Assert.Equal("service-42", Assert.Single(after.PortChanges.Keys).Service.Name);
        Assert.Same(before.IssuesByKey, after.IssuesByKey);
        Assert.Same(before.ChecksByService, after.ChecksByService);
        Assert.Null(after.IssueChanges);
    }

    [Fact]
    public void A_change_of_nearly_everything_keeps_nothing_of_before_alive()
    {
        var cluster = Synthetic.Cluster(2_000, 1);
        var compiler = new IncrementalCompiler();
        var node = new NodeContext("node-0");
        var before = compiler.Compile(cluster, node, IdTable.Empty);
        var after = compiler.Compile(cluster, node with { IPv6 = false, LocalhostNodePorts = false, NodePortAddresses = [] }, before.Ids);
        Assert.Same(before.Ports, after.Ports); // compiled again, and the same
        var other = Synthetic.Cluster(2_000, 2);
        after = compiler.Compile(other, node, after.Ids);
        Assert.Null(after.PortChanges);
        Assert.Equal(2_000, after.PortsSince(before).Count());
    }

    [Fact]
    public void A_service_of_many_slices_is_read_slice_by_slice()
    {
        var compiler = new IncrementalCompiler();
        var node = new NodeContext("node-0");
        var cluster = Synthetic.Cluster(1, 4);
        for (var i = 0; i < 100; i++)
            cluster = With(cluster, Many(i, "10.130"));
        var state = compiler.Compile(cluster, node, IdTable.Empty);
        cluster = With(With(cluster, Many(17, "10.131")), Many(100, "10.132"));
        cluster = cluster with { EndpointSlices = cluster.EndpointSlices.Remove(Many(50, "").Name) };
        Compile(node);
        Assert.Equal(10_004, state.Segments.Max(s => s.Backends.Length));
        // what they were read for is not this node any more
        Compile(new NodeContext("node-1"));

        void Compile(NodeContext on)
        {
            var before = state;
            state = compiler.Compile(cluster, on, before.Ids);
            Assert.Equal(ClusterCompiler.Compile(cluster, on, before.Ids), state);
        }

        static ClusterSnapshot With(ClusterSnapshot cluster, EndpointSliceSnapshot slice) =>
            cluster with { EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice) };

        static EndpointSliceSnapshot Many(int i, string net) => Synthetic.Slice(0, 100) with
        {
            Name = new ObjectName("ns-0", $"many-{i:000}"),
            Endpoints =
            [
                .. Enumerable.Range(0, 100).Select(n => new EndpointSnapshot([$"{net}.{i}.{n}"], true, true, false, $"node-{n % 2}")),
            ],
        };
    }

    [Fact]
    public void A_node_that_brings_an_endpoints_range_is_seen_also_after_the_nodes_own_view_was_renewed()
    {
        var compiler = new IncrementalCompiler();
        var node = new NodeContext("node-0") { Routing = new RoutingContext { Mode = RoutingMode.Tunnel, TunnelPort = 8472 } };
        var service = Synthetic.Service(0) with { Ports = [new ServicePortSnapshot("http", "UDP", 80)] };
        var slice = Synthetic.Slice(0, 1) with { Ports = [new EndpointPortSnapshot("http", "UDP", 8472)] };
        var cluster = Synthetic.Cluster(1, 1);
        cluster = cluster with
        {
            Services = cluster.Services.SetItem(service.Name, service),
            EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice),
        };
        var state = compiler.Compile(cluster, node, IdTable.Empty);
        Assert.Contains(state.Issues, i => i.Reason == Issues.IssueReason.EndpointIsTunnelPort);
        node = node with { HostPorts = [new HostPort("default/p", null, 8080, IpProtocol.Tcp, Addr.FromBytes([10, 1, 0, 9]), 80)] };
        state = compiler.Compile(cluster, node, state.Ids);
        cluster = cluster with { Nodes = cluster.Nodes.Add("node-1", new NodeSnapshot { Name = "node-1", PodCidrs = ["10.128.0.0/16"] }) };
        var after = compiler.Compile(cluster, node, state.Ids);
        Assert.Equal(ClusterCompiler.Compile(cluster, node, state.Ids), after);
        Assert.DoesNotContain(after.Issues, i => i.Reason == Issues.IssueReason.EndpointIsTunnelPort);
    }

    /// <summary>
    /// The snapshot with what a store may tell of the way to it: nothing, exactly
    /// what is different, more than that, or something about another snapshot.
    /// </summary>
    private static ClusterSnapshot Told(Random random, ClusterSnapshot before, ClusterSnapshot after) => random.Next(5) switch
    {
        0 => after,
        1 => after with
        {
            ServiceChanges = new(
                after.Services.Clear().Add(new ObjectName("x", "y"), new ServiceSnapshot { Name = new ObjectName("x", "y") }), []),
            SliceChanges = null,
        },
        2 => after with
        {
            ServiceChanges = new(before.Services,
            [
                .. KeyedDifference.Between(before.Services, after.Services, null)
                    .Append(new ObjectName("ns-0", "never")).Concat(after.Services.Keys.Take(3)).Distinct(),
            ]),
            SliceChanges = new(before.EndpointSlices, [.. before.EndpointSlices.Keys.Union(after.EndpointSlices.Keys)]),
        },
        _ => after with
        {
            ServiceChanges = new(before.Services, KeyedDifference.Between(before.Services, after.Services, null)),
            SliceChanges = new(before.EndpointSlices, KeyedDifference.Between(before.EndpointSlices, after.EndpointSlices, null)),
        },
    };

    private static void Check<TKey, TValue>(
        ImmutableSortedDictionary<TKey, TValue> before,
        ImmutableSortedDictionary<TKey, TValue> after,
        KeyedChanges<TKey, TValue>? told,
        int step)
        where TKey : notnull where TValue : class
    {
        if (told is null)
        {
            Assert.True(step == 0 || ReferenceEquals(before, after));
            return;
        }
        if (step > 0)
            Assert.Same(before, told.Since);
        Assert.Empty(KeyedDifference.Between(before, after, null).Except(told.Keys));
        Assert.Equal(told.Keys.Count, told.Keys.Distinct().Count());
    }
}
