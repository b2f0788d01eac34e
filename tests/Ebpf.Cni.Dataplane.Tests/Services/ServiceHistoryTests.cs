using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>Random histories: whatever fails or dies, readers see complete sets, and the tables end as desired.</summary>
public class ServiceHistoryTests
{
    [Theory]
    [InlineData(64, 256, false)] // plenty
    [InlineData(9, 18, false)]   // always short of something
    [InlineData(9, 18, true)]    // and the kernel is asked to wait for its readers, which now and then it refuses
    public void Readers_see_old_or_new_at_every_step_and_nothing_else(uint frontends, uint backends, bool waits)
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 60; round++)
        {
            var world = new ObservedWorld(frontends, backends, waits ? () => random.Next(4) != 0 : null);
            for (var step = 0; step < 25; step++)
            {
                world.Kernel.NextFault = () => RandomFault(random);
                world.Apply(DesiredStates.Random(random));
                world.Time.Advance(TimeSpan.FromSeconds(random.Next(6)));
            }
        }
    }

    [Fact]
    public void Every_history_converges_to_exactly_what_is_desired_and_then_writes_nothing()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 100; round++)
        {
            var world = new ObservedWorld(64, 512);
            DesiredState desired = DesiredState.Empty;
            for (var step = 0; step < random.Next(1, 12); step++)
            {
                world.Kernel.NextFault = () => RandomFault(random);
                world.Apply(desired = DesiredStates.Random(random));
            }
            world.Converge(desired);
            world.Converge(DesiredState.Empty);
            Assert.Empty(world.Kernel.Frontends);
            world.Time.Advance(ObservedWorld.Rest);
            Assert.Equal(0u, world.Tables.Usage().Frontends.Entries);
        }
    }

    /// <summary>As a compile with a cache makes them: what did not change is the same object, and only the rest is looked at.</summary>
    [Theory]
    [InlineData(64, 512, false)]
    [InlineData(64, 24, true)]
    [InlineData(9, 18, false)]
    [InlineData(9, 18, true)]
    public void States_that_share_objects_converge_as_others_do(uint frontends, uint backends, bool waits)
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 60; round++)
        {
            var world = new ObservedWorld(frontends, backends, waits ? () => random.Next(4) != 0 : null);
            var desired = DesiredStates.Random(random, services: 3);
            for (var step = 0; step < 25; step++)
            {
                world.Kernel.NextFault = () => random.Next(30) == 0 ? RandomFault(random) : Fault.None;
                world.Apply(desired = DesiredStates.Mutate(random, desired));
                if (random.Next(8) == 0)
                    world.Apply(desired);
                world.Time.Advance(TimeSpan.FromSeconds(random.Next(6)));
            }
            if (frontends > 9 && backends > 24)
                world.Converge(desired);
        }
    }

    [Fact]
    public void A_crash_at_any_step_and_a_start_converge_without_a_torn_reader()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 25; round++)
        {
            DesiredState before = DesiredStates.Random(random), after = DesiredStates.Random(random);
            var start = new ObservedWorld(64, 512);
            start.Converge(before);
            var whole = start.Fork();
            whole.Apply(after);
            for (var step = 0; step < whole.Kernel.Steps; step++)
            {
                var world = start.Fork();
                var left = step;
                world.Kernel.NextFault = () => left-- == 0 ? Fault.Crash : Fault.None;
                world.Apply(after);
                Assert.Equal(0, world.Tables.Restored.Broken);
                world.Converge(after);
            }
        }
    }

    [Fact]
    public void A_restart_keeps_every_id_and_writes_nothing()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 50; round++)
        {
            var desired = DesiredStates.Random(random);
            var world = new ObservedWorld(64, 512);
            world.Converge(desired);
            world.Restart();
            Assert.Equal(
                desired.Frontends.Select(f => (f.Key, f.Segment.ServiceId)),
                world.Tables.RestoredIds.Restored.OrderBy(p => p.Key).Select(p => (p.Key, p.Value)));
            Assert.All(world.Tables.RestoredIds.Restored.Values, id => Assert.True(id < world.Tables.RestoredIds.Next));
            Assert.Equal(0, world.Apply(desired)!.KernelWrites);
        }
    }

    [Fact]
    public void A_key_that_always_fails_costs_no_space_and_hurts_nobody()
    {
        var world = new ObservedWorld(8, 8);
        var good = DesiredStates.Single("good", 1, "10.96.0.1", "10.244.0.1");
        var bad = DesiredStates.Single("bad", 2, "10.96.0.2", "10.244.0.2", "10.244.0.3");
        world.Apply(good);
        for (var i = 0; i < 20; i++)
        {
            world.Kernel.NextFault = () => Fault.Fail;
            var result = world.Apply(DesiredStates.Together(good, bad))!;
            Assert.Single(result.Errors);
            Assert.Contains("10.96.0.2:80", result.Errors[0].ToString(), StringComparison.Ordinal);
        }
        Assert.Equal(3u, world.Tables.Usage().Backends.Entries);
        world.Converge(DesiredStates.Together(good, bad));
    }

    [Fact]
    public void The_observer_notices_a_torn_frontend()
    {
        var kernel = new FakeKernel(8, 8);
        kernel.Backends[0] = new Backend(Addr.Parse("10.244.0.1"), U16Be.FromHost(1), BackendFlags.None, 7);
        kernel.Frontends[DesiredStates.Key("10.96.0.1")] = new Svc(0, 2, 7, SvcFlags.None, 0);
        Assert.StartsWith("torn", LookupModel.Lookup(kernel, DesiredStates.Key("10.96.0.1")), StringComparison.Ordinal);
    }

    private static Fault RandomFault(Random random) => random.Next(40) switch { 0 => Fault.Fail, 1 => Fault.FailAfterwards, 2 => Fault.Crash, _ => Fault.None };
}
