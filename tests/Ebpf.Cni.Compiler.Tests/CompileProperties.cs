using System.Collections.Immutable;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Compiler.Tests;

public sealed class CompileProperties
{
    private static readonly NodeContext Node = new("node-0");

    [Theory, InlineData(0), InlineData(0.05), InlineData(0.5), InlineData(1)]
    public void Whatever_the_objects_hold_the_result_is_sound(double garbage)
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 60; round++)
        {
            var cluster = new RandomCluster(random, garbage);
            cluster.Grow(60);
            var node = RandomCluster.NodeOf(random, random.Next(4) == 0 ? "" : "node-0");
            var state = ClusterCompiler.Compile(cluster.Cluster, node, IdTable.Empty);
            StateRules.Check(state);
            Assert.NotEmpty(DesiredStateText.Write(state));
        }
    }

    [Fact]
    public void Default_structs_and_nulls_are_survived()
    {
        var nothing = new ObjectName(null!, null!);
        var cluster = new ClusterSnapshot
        {
            Services = ClusterSnapshot.Empty.Services.Add(nothing, new ServiceSnapshot
            {
                Name = nothing, Uid = null!, Type = null!, ClusterIPs = ["10.96.0.1"], Ports = [new ServicePortSnapshot(null!, null!, 80)],
            }),
            EndpointSlices = ClusterSnapshot.Empty.EndpointSlices.Add(nothing, new EndpointSliceSnapshot
            {
                Name = nothing, Uid = null!, AddressType = null!, Ports = default, Endpoints = default,
            }),
            Nodes = ClusterSnapshot.Empty.Nodes.Add(
                "", new NodeSnapshot { Name = null!, Uid = null!, PodCidrs = [null!], InternalIPs = [null!] }),
        };
        var state = ClusterCompiler.Compile(cluster, Node, IdTable.Empty);
        StateRules.Check(state);
        Assert.Equal(["10.96.0.1:0/0/Internal", "10.96.0.1:80/Tcp/Internal"], state.Frontends.Select(f => f.Key.ToString()));
        Assert.NotEmpty(DesiredStateText.Write(state));
    }

    [Fact]
    public void Ids_stay_with_their_names_and_freed_ones_rest_for_a_compile()
    {
        var random = new Random(Seed.Next());
        var cluster = new RandomCluster(random);
        var ids = IdTable.Empty with { Next = uint.MaxValue - 20 };
        var compiler = new IncrementalCompiler();
        for (var step = 0; step < 400; step++)
        {
            cluster.Step();
            var after = compiler.Compile(cluster.Cluster, Node, ids).Ids;
            foreach (var (name, id) in after.ByName)
                if (ids.ByName.TryGetValue(name, out var before))
                    Assert.Equal(before, id);
                else
                    Assert.DoesNotContain(id, ids.ByName.Values);
            ids = after;
        }
    }

    [Fact]
    public void After_a_start_every_frontend_finds_its_id_again()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 50; round++)
        {
            var cluster = new RandomCluster(random);
            cluster.Grow(60);
            var node = RandomCluster.NodeOf(random, "node-0");
            var before = ClusterCompiler.Compile(cluster.Cluster, node, IdTable.Empty with { Next = (uint)random.Next(1, 1000) });
            var restored = new IdTable
            {
                Restored = before.Frontends.ToImmutableDictionary(f => f.Key, f => f.Segment.ServiceId),
                Next = (uint)random.Next(1, 1000),
            };
            var after = ClusterCompiler.Compile(cluster.Cluster, node, restored);
            Assert.Equal(before.Frontends, after.Frontends);
            Assert.Equal(before.Segments, after.Segments);
        }
    }

    [Fact]
    public void The_order_of_parts_and_the_names_of_slices_do_not_matter()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 50; round++)
        {
            var cluster = new RandomCluster(random);
            cluster.Grow(60);
            var node = RandomCluster.NodeOf(random, "node-0");
            var a = ClusterCompiler.Compile(cluster.Cluster, node, IdTable.Empty);
            var b = ClusterCompiler.Compile(Shuffled(cluster.Cluster, random), node with { HostPorts = Shuffled(node.HostPorts, random) },
                IdTable.Empty);
            Assert.Equal(a.Frontends, b.Frontends);
            Assert.Equal(a.Segments, b.Segments);
            Assert.Equal(a.SourceRanges, b.SourceRanges);
            Assert.Equal(a.Prefixes, b.Prefixes);
            Assert.Equal(a.HealthChecks, b.HealthChecks);
            Assert.Equal(a.Routes, b.Routes);
        }
    }

    [Fact]
    public void A_changed_endpoint_changes_one_segment_and_nothing_else()
    {
        var cluster = Synthetic.Cluster(300, 4);
        var compiler = new IncrementalCompiler();
        var before = compiler.Compile(cluster, Node, IdTable.Empty);
        var slice = Synthetic.Slice(42, 3);
        var after = compiler.Compile(
            cluster with { EndpointSlices = cluster.EndpointSlices.SetItem(slice.Name, slice) }, Node, before.Ids);
        var changed = Assert.Single(Enumerable.Range(0, 600), i => !before.Segments[i].Equals(after.Segments[i]));
        Assert.Equal("service-42", after.Segments[changed].Owner.Service.Name);
        Assert.Equal(599, before.Segments.Intersect(after.Segments, ReferenceEqualityComparer.Instance).Count());
        Assert.Equal(before.Frontends, after.Frontends);
        Assert.Same(before.Ids, after.Ids);
        Assert.Equal("service-42", Assert.Single(after.PortsSince(before)).After!.Name.Service.Name);
    }

    [Fact]
    public void A_service_cannot_pass_for_a_hostPort()
    {
        var name = new ObjectName("default", "pod");
        var cluster = ClusterSnapshot.Empty with
        {
            Services = ClusterSnapshot.Empty.Services.Add(name, new ServiceSnapshot
            {
                Name = name, ClusterIPs = ["10.96.0.1"],
                    Ports = [new ServicePortSnapshot("hostPort 0.0.0.0:8080", "TCP", 80), new ServicePortSnapshot("", "TCP", 81)],
            }),
        };
        var node = Node with { HostPorts = [new HostPort("default/pod", null, 8080, IpProtocol.Tcp, Addr.Parse("10.244.0.5"), 80)] };
        var state = ClusterCompiler.Compile(cluster, node, IdTable.Empty);
        StateRules.Check(state);
        Assert.Equal("PortNameReserved", Assert.Single(state.Issues).Reason);
        Assert.Equal(
            ["10.96.0.1:0/0/Internal", "10.96.0.1:81/Tcp/Internal", "127.0.0.1:8080/Tcp/Internal"],
            state.Frontends.Select(f => f.Key.ToString()));
    }

    [Fact]
    public void A_hostPort_that_comes_leaves_the_services_alone()
    {
        var cluster = Synthetic.Cluster(20, 2);
        var compiler = new IncrementalCompiler();
        var before = compiler.Compile(cluster, Node, IdTable.Empty);
        var node = Node with { HostPorts = [new HostPort("default/pod", null, 8080, IpProtocol.Tcp, Addr.Parse("10.244.0.5"), 80)] };
        var after = compiler.Compile(cluster, node, before.Ids);
        Assert.Equal(before.Segments.Length + 1, after.Segments.Length);
        Assert.Equal(before.Segments.Length, before.Segments.Intersect(after.Segments, ReferenceEqualityComparer.Instance).Count());
        var again = compiler.Compile(cluster, node with { HostPorts = [.. node.HostPorts] }, after.Ids);
        Assert.Same(after, again);
    }

    [Fact]
    public void The_same_snapshot_is_the_same_state()
    {
        var cluster = Synthetic.Cluster(10, 2);
        var compiler = new IncrementalCompiler();
        var state = compiler.Compile(cluster, Node, IdTable.Empty);
        Assert.Same(state, compiler.Compile(cluster, Node, state.Ids));
    }

    [Fact]
    public void Bad_objects_do_not_hurt_the_good_ones()
    {
        var random = new Random(Seed.Next());
        var good = Synthetic.Cluster(50, 4);
        var before = ClusterCompiler.Compile(good, Node, IdTable.Empty);
        for (var round = 0; round < 50; round++)
        {
            var bad = new RandomCluster(random, garbage: 0.4);
            bad.Grow(80);
            // the good names come first, so they win every conflict ("ns-10..49" < "zz-…")
            var mixed = new ClusterSnapshot
            {
                Services = good.Services.AddRange(bad.Cluster.Services.Select(s => KeyValuePair.Create(Later(s.Key), s.Value))),
                EndpointSlices = good.EndpointSlices.AddRange(
                    bad.Cluster.EndpointSlices.Select(s => KeyValuePair.Create(Later(s.Key), s.Value))),
                Nodes = bad.Cluster.Nodes,
            };
            var after = ClusterCompiler.Compile(mixed, Node, before.Ids);
            Assert.Equal(before.Frontends,
                after.Frontends.Where(f => !f.Owner.Service.Namespace.StartsWith("zz", StringComparison.Ordinal)));
            Assert.Equal(before.Segments, after.Segments.Where(s => !s.Owner.Service.Namespace.StartsWith("zz", StringComparison.Ordinal)));
        }
    }

    private static ObjectName Later(ObjectName name) => name with { Namespace = "zz-" + name.Namespace };

    private static ClusterSnapshot Shuffled(ClusterSnapshot cluster, Random random)
    {
        var slices = cluster.EndpointSlices.Values.ToArray();
        random.Shuffle(slices);
        return cluster with
        {
            EndpointSlices = slices.Select((s, i) => s with
            {
                Name = s.Name with { Name = $"renamed-{i}" },
                Ports = Shuffled(s.Ports, random),
                Endpoints = Shuffled(s.Endpoints, random),
            }).ToImmutableSortedDictionary(s => s.Name, s => s),
            Services = cluster.Services.ToImmutableSortedDictionary(s => s.Key, s => s.Value with
            {
                ExternalIPs = Shuffled(s.Value.ExternalIPs, random),
                LoadBalancerIPs = Shuffled(s.Value.LoadBalancerIPs, random),
                LoadBalancerSourceRanges = Shuffled(s.Value.LoadBalancerSourceRanges, random),
            }),
        };
    }

    private static ImmutableArray<T> Shuffled<T>(ImmutableArray<T> items, Random random)
    {
        var array = items.ToArray();
        random.Shuffle(array);
        return [.. array];
    }
}
