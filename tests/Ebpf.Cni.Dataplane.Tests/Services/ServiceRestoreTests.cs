using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Services;
using Ebpf.Cni.Testing;
using Microsoft.Extensions.Time.Testing;
using static Ebpf.Cni.Dataplane.Tests.Services.DesiredStates;

namespace Ebpf.Cni.Dataplane.Tests.Services;

public class ServiceRestoreTests
{
    [Fact]
    public void Garbage_of_any_kind_is_repaired_by_the_first_apply_and_by_nothing_before()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 300; round++)
        {
            var kernel = Corrupt(random);
            var steps = kernel.Steps;
            var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, new FakeTimeProvider());
            Assert.Equal(steps, kernel.Steps);
            var desired = DesiredStates.Random(random);
            Assert.True(tables.Apply(desired).Complete);
            Assert.Equal(LookupModel.Promise(desired).OrderBy(p => p.Key), LookupModel.LookupAll(kernel).OrderBy(p => p.Key));
            Assert.Equal(default, tables.Verify());
            Assert.Equal(0, tables.Apply(desired).KernelWrites);
        }
    }

    [Fact]
    public void A_frontend_outside_the_table_or_with_foreign_backends_is_counted_and_gives_no_id()
    {
        var kernel = new FakeKernel(8, 8);
        kernel.Frontends[Key("10.96.0.1")] = new Svc(6, 3, 1, SvcFlags.None, 0);
        kernel.Frontends[Key("10.96.0.2")] = new Svc(uint.MaxValue, uint.MaxValue, 2, SvcFlags.None, 0);
        kernel.Frontends[Key("10.96.0.3")] = new Svc(0, 1, 3, SvcFlags.None, 0);
        kernel.Frontends[Key("10.96.0.4")] = new Svc(0, 0, 4, SvcFlags.None, 0);
        var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, new FakeTimeProvider());
        Assert.Equal(new RestoreReport(4, 0, 3), tables.Restored);
        Assert.Equal([4u], tables.RestoredIds.Restored.Values);
        Assert.Equal(5u, tables.RestoredIds.Next);
    }

    [Fact]
    public void Drift_is_counted_and_repaired()
    {
        var kernel = new FakeKernel(8, 16);
        var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, new FakeTimeProvider());
        var desired = Together(
            Single("a", 1, "10.96.0.1", "10.244.0.1"), Single("b", 2, "10.96.0.2", "10.244.0.2"),
            Single("c", 3, "10.96.0.3", "10.244.0.3"));
        tables.Apply(desired);
        kernel.Frontends.Remove(Key("10.96.0.1"));
        kernel.Frontends[Key("10.96.0.2")] = kernel.Frontends[Key("10.96.0.3")];
        kernel.Backends[kernel.Frontends[Key("10.96.0.3")].Offset] = default;
        kernel.Frontends[Key("10.96.0.66")] = new Svc(0, 1, 66, SvcFlags.None, 0);
        Assert.Equal(new DriftReport(Missing: 1, Unexpected: 1, Different: 1, DamagedSegments: 1), tables.Verify());
        Assert.True(tables.Apply(desired).Complete);
        Assert.Equal(LookupModel.Promise(desired).OrderBy(p => p.Key), LookupModel.LookupAll(kernel).OrderBy(p => p.Key));
        Assert.Equal(default, tables.Verify());
    }

    [Fact]
    public void The_joined_view_tells_what_a_program_would_find()
    {
        var kernel = new FakeKernel(8, 8);
        var tables = new ServiceDataplane(kernel.Tables, ObservedWorld.Rest, new FakeTimeProvider());
        tables.Apply(Single("a", 1, "10.96.0.1", "10.244.0.1", "10.244.0.2"));
        kernel.Frontends[Key("10.96.0.2")] = new Svc(7, 7, 1, SvcFlags.None, 0);
        var views = tables.ReadServices();
        Assert.Equal(["10.244.0.1", "10.244.0.2"], views[0].Backends.Select(b => b.Addr.ToString()));
        Assert.True(views[0].Sound);
        Assert.False(views[1].Sound);
    }

    private static FakeKernel Corrupt(Random random)
    {
        var kernel = new FakeKernel(64, 256);
        for (var i = 0; i < kernel.Backends.Length; i++)
            kernel.Backends[i] = new Backend(Addr.Parse($"10.244.0.{random.Next(1, 7)}"), U16Be.FromHost(8080), BackendFlags.None,
                (uint)(i / 8 % 6));
        for (var i = 0; i < 30; i++)
        {
            var key = Key($"10.96.0.{random.Next(5)}", (ushort)(80 + random.Next(6)));
            kernel.Frontends[key] = random.Next(4) switch
            {
                0 => new Svc((uint)random.NextInt64(uint.MaxValue), (uint)random.NextInt64(uint.MaxValue), (uint)random.Next(8),
                    SvcFlags.None, 0),
                _ => Inside(random),
            };
        }
        return kernel;
    }

    private static Svc Inside(Random random)
    {
        // Mostly sound ones, some of them overlapping inside the run of one service.
        var run = random.Next(1, 32);
        var first = random.Next(8);
        return new Svc((uint)(run * 8 + first), (uint)random.Next(9 - first), (uint)(run % 6), SvcFlags.None, 0);
    }
}
