using Ebpf.Cni.Compiler;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Tests;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>
/// Clusters that change at random, compiled step by step and applied step by step, with agents that fail
/// and die in between: Services that come, go and change, slices that move, conflicts, ids restored from
/// the kernel. The tables are always those of a compile from nothing that is applied to empty ones.
/// </summary>
public class CompiledHistoryTests
{
    [Theory, InlineData(0), InlineData(0.1)]
    public void The_tables_are_those_of_a_fresh_compile_and_a_fresh_apply(double garbage)
    {
        var random = new Random(Seed.Next());
        var world = new ObservedWorld(2048, 512, () => random.Next(8) != 0);
        var cluster = new RandomCluster(random, garbage);
        var (compiler, compiled, ids) = (new IncrementalCompiler(), ClusterSnapshot.Empty, world.Tables.RestoredIds);
        var node = RandomCluster.NodeOf(random, "node-0");
        var (complete, died) = (0, 0);
        for (var step = 0; step < 200; step++)
        {
            cluster.Step();
            if (random.Next(30) == 0)
                node = RandomCluster.NodeOf(random, "node-0");
            var known = ids;
            var snapshot = compiled = random.Next(8) == 0 ? cluster.Cluster : Told(compiled, cluster.Cluster);
            var state = compiler.Compile(snapshot, node, known);
            world.Kernel.NextFault = () => random.Next(200) switch
            {
                0 => Fault.Fail,
                1 => Fault.FailAfterwards,
                2 => Fault.Crash,
                _ => Fault.None,
            };
            if (world.Apply(state) is not { } result)
            {
                died++;
                (compiler, compiled, ids) = (new IncrementalCompiler(), ClusterSnapshot.Empty, world.Tables.RestoredIds);
                continue;
            }

            ids = state.Ids;
            if (!result.Complete)
                continue;
            complete++;
            var fresh = new ObservedWorld(2048, 512);
            Assert.True(fresh.Apply(ClusterCompiler.Compile(cluster.Cluster, node, known))!.Complete);
            Assert.Equal(LookupModel.LookupAll(fresh.Kernel).OrderBy(p => p.Key), LookupModel.LookupAll(world.Kernel).OrderBy(p => p.Key));
            Assert.Equal(fresh.Kernel.Ranges.Keys.ToHashSet(), world.Kernel.Ranges.Keys.ToHashSet());
        }

        Assert.True(complete > 60 && died > 0, $"{complete} applies were complete, {died} agents died");
        world.Converge(compiler.Compile(cluster.Cluster, node, ids));
    }

    private static ClusterSnapshot Told(ClusterSnapshot before, ClusterSnapshot after) => after with
    {
        ServiceChanges = new(before.Services, KeyedDifference.Between(before.Services, after.Services, null)),
        SliceChanges = new(before.EndpointSlices, KeyedDifference.Between(before.EndpointSlices, after.EndpointSlices, null)),
    };
}
