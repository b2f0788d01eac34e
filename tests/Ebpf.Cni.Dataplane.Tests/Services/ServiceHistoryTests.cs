using Ebpf.Cni.Abi;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Dataplane.Services;
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

    /// <summary>What a full table refuses is all that is planned again; the result is that of looking at everything each time.</summary>
    [Theory]
    [InlineData(9, 18, 64)]
    [InlineData(64, 24, 64)]
    [InlineData(64, 512, 5)]
    [InlineData(9, 24, 5)]
    public void With_full_tables_a_plan_of_what_changed_and_is_owed_ends_as_a_plan_of_everything(uint frontends, uint backends, uint ranges)
    {
        var random = new Random(Seed.Next());
        var (refused, waited) = (0, 0);
        for (var round = 0; round < 200; round++)
        {
            var one = new ObservedWorld(frontends, backends, ranges: ranges);
            var all = new ObservedWorld(frontends, backends, ranges: ranges);
            var desired = DesiredStates.Random(random, services: 3);
            for (var step = 0; step < 25; step++)
            {
                desired = random.Next(8) == 0 ? desired : DesiredStates.Mutate(random, desired);
                Assert.Equal(default, all.Tables.Verify()); // and with that everything is looked at
                var (planned, whole) = (one.Apply(desired)!, all.Apply(desired)!);
                Assert.Equal(whole.Refusals, planned.Refusals);
                Assert.Equal(whole.Waiting, planned.Waiting);
                Assert.Equal(all.Kernel.Frontends.OrderBy(f => f.Key), one.Kernel.Frontends.OrderBy(f => f.Key));
                Assert.Equal(all.Kernel.Ranges.Keys.ToHashSet(), one.Kernel.Ranges.Keys.ToHashSet());
                Assert.Equal(whole.KernelWrites, planned.KernelWrites);
                refused += planned.Refusals.Length;
                waited += planned.Waiting.Length;
                var passes = TimeSpan.FromSeconds(random.Next(6));
                one.Time.Advance(passes);
                all.Time.Advance(passes);
            }
        }
        Assert.True(refused + waited > 100, $"{refused} services were refused, {waited} waited");
    }

    [Fact]
    public void With_a_full_table_a_change_costs_what_changed_and_is_owed()
    {
        var allocated = new[] { 200, 4_000 }.Select(services =>
        {
            var tables = new ServiceDataplane(new FakeKernel((uint)services, 1u << 14).Tables, ObservedWorld.Rest, TimeProvider.System);
            var parts = Enumerable.Range(0, services + 1).Select(i => DesiredStates.Single(
                $"s{i:0000}", (uint)i + 1, $"10.96.{i / 250}.{i % 250}", "10.244.0.1")).ToList();
            var desired = DesiredStates.Together([.. parts]);
            Assert.Single(tables.Apply(desired).Refusals);
            var other = DesiredStates.Single("s0000", 1, "10.96.0.0", "10.244.0.2");
            var changed = desired with
            {
                Ports = desired.Ports.SetItems(other.Ports), PortChanges = new(desired.Ports, [DesiredStates.Name("s0000")]),
            };
            var before = GC.GetAllocatedBytesForCurrentThread();
            var result = tables.Apply(changed);
            var cost = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.Equal((1, 1), (result.Refusals.Length, result.FrontendsSwitched));
            return cost;
        }).ToList();
        Assert.True(
            allocated[1] < 2 * allocated[0],
            $"{allocated[0]} bytes of memory for a change beside 200 services, {allocated[1]} beside 4,000");
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

    private static Fault RandomFault(Random random) =>
        random.Next(40) switch { 0 => Fault.Fail, 1 => Fault.FailAfterwards, 2 => Fault.Crash, _ => Fault.None };
}
