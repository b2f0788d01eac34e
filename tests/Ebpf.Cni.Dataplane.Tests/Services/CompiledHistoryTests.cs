using System.Collections.Immutable;
using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>Cluster → compile → apply, with agents that die and forget all names: what the kernel holds is compile(cluster), and ids stay.</summary>
public class CompiledHistoryTests
{
    private static readonly NodeContext Node = new("n1");

    [Fact]
    public void Ids_survive_a_start_and_an_unchanged_cluster_costs_no_write()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 60; round++)
        {
            var world = new ObservedWorld(256, 1024);
            var ids = IdTable.Empty;
            var cluster = ClusterSnapshot.Empty;
            for (var step = 0; step < 6; step++)
            {
                cluster = RandomCluster(random);
                var desired = ClusterCompiler.Compile(cluster, Node, ids);
                world.Converge(desired);
                ids = desired.Ids;
            }

            var before = world.Kernel.Frontends.ToDictionary();
            world.Restart();
            var again = ClusterCompiler.Compile(cluster, Node, world.Tables.RestoredIds);
            Assert.Equal(0, world.Apply(again)!.KernelWrites);
            Assert.Equal(before, world.Kernel.Frontends);
        }
    }

    [Fact]
    public void Starts_in_the_middle_of_everything_end_at_the_compiled_cluster()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 60; round++)
        {
            var world = new ObservedWorld(256, 1024);
            var ids = IdTable.Empty;
            for (var step = 0; step < 12; step++)
            {
                var desired = ClusterCompiler.Compile(RandomCluster(random), Node, ids);
                world.Kernel.NextFault = () => random.Next(30) switch { 0 => Fault.Crash, 1 => Fault.FailAfterwards, 2 => Fault.Fail, _ => Fault.None };
                ids = world.Apply(desired) is null ? world.Tables.RestoredIds : desired.Ids;
            }
            var last = ClusterCompiler.Compile(RandomCluster(random), Node, ids);
            world.Converge(last);
            Assert.All(last.Segments.GroupBy(s => s.Key.ServiceId), g => Assert.Single(g.Select(s => s.Owner).Distinct()));
        }
    }

    private static ClusterSnapshot RandomCluster(Random random)
    {
        var services = ImmutableSortedDictionary.CreateBuilder<ObjectName, ServiceSnapshot>();
        var slices = ImmutableSortedDictionary.CreateBuilder<ObjectName, EndpointSliceSnapshot>();
        foreach (var n in Enumerable.Range(1, 5).Where(_ => random.Next(3) > 0))
        {
            var name = new ObjectName("default", $"s{n}");
            services.Add(name, new ServiceSnapshot
            {
                Name = name,
                ClusterIPs = random.Next(2) == 0 ? [$"10.96.0.{n}"] : [$"10.96.0.{n}", $"fd00:96::{n}"],
                Ports = [.. Enumerable.Range(0, random.Next(1, 3)).Select(p => new ServicePortSnapshot($"p{p}", p == 0 ? "TCP" : "UDP", 80 + p))],
            });
            foreach (var family in new[] { "IPv4", "IPv6" })
            {
                var slice = new ObjectName("default", $"s{n}-{family.ToLowerInvariant()}");
                slices.Add(slice, new EndpointSliceSnapshot
                {
                    Name = slice,
                    ServiceName = name.Name,
                    AddressType = family,
                    Ports = [new("p0", "TCP", 8080), new("p1", "UDP", 5353)],
                    Endpoints = [.. Enumerable.Range(1, 5).Where(_ => random.Next(2) == 0).Select(e => new EndpointSnapshot(
                        [family == "IPv4" ? $"10.244.{n}.{e}" : $"fd00:244:{n}::{e}"], Ready: true, Serving: true, Terminating: false, $"n{e % 2}"))],
                });
            }
        }
        return new ClusterSnapshot { Services = services.ToImmutable(), EndpointSlices = slices.ToImmutable() };
    }
}
