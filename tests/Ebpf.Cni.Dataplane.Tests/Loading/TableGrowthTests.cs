using System.Diagnostics;
using System.Runtime.CompilerServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Dataplane.Loading;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Dataplane.Tests.Loading;

/// <summary>What programs of both kinds write while a table is replaced, step by step, ends in the new one.</summary>
public sealed class TableGrowthTests : IDisposable
{
    private const ulong Second = 1_000_000_000;
    private readonly BpfMap _old, _young;
    private readonly TableGrowth _growth;
    private readonly ulong _now = (ulong)Stopwatch.GetTimestamp();

    public TableGrowthTests()
    {
        Requires.Root();
        (_old, _young) = (Table<CtKey, Ct>(1024), Table<CtKey, Ct>(4096));
        _growth = Begin(MapNames.ConntrackAny, _old, _young);
    }

    public void Dispose()
    {
        _growth.Dispose();
        _old.Dispose();
        _young.Dispose();
    }

    [Fact]
    public void What_was_there_is_there_before_a_program_uses_the_new_table_and_what_comes_late_follows()
    {
        for (ushort port = 1; port <= 300; port++)
            Put(_old, port, Entry(_now - (5000 * Second), CtState.Established));
        _growth.Fill();
        Assert.Equal(300, _young.ReadAll<CtKey, Ct>().Count);
        Put(_old, 301, Entry(_now + Second, CtState.SynSent));
        _growth.CatchUp();
        Assert.Equal(CtState.SynSent, Get(301)!.Value.State);
        Put(_old, 302, Entry(_now + (2 * Second), CtState.SynSent));
        _growth.Finish();
        Assert.Equal(302, _young.ReadAll<CtKey, Ct>().Count);
    }

    [Fact]
    public void Of_one_connection_the_packet_that_came_last_decides()
    {
        Put(_old, 1, Entry(_now, CtState.SynRecv));
        Put(_old, 2, Entry(_now, CtState.SynRecv));
        _growth.Fill();
        Put(_old, 1, Entry(_now, CtState.Established, seen: _now + Second)); // by a program that was not replaced yet
        Put(_young, 2, Entry(_now, CtState.Established, seen: _now + (2 * Second))); // by one that was
        Put(_old, 2, Entry(_now, CtState.SynRecv, seen: _now + Second));
        _growth.CatchUp();
        Assert.All(new ushort[] { 1, 2 }, port => Assert.Equal(CtState.Established, Get(port)!.Value.State));
    }

    [Fact]
    public void A_port_that_was_used_again_has_its_later_connection_whichever_program_began_it()
    {
        foreach (ushort port in new[] { 1, 2 })
            Put(_old, port, Entry(_now - (60 * Second), CtState.TimeWait) with { ServiceId = 1 });
        _growth.Fill();
        Put(_old, 1, Entry(_now + Second, CtState.SynSent) with { ServiceId = 2 });
        Put(_young, 2, Entry(_now + Second, CtState.SynSent) with { ServiceId = 2 });
        Put(_old, 2, Entry(_now - (60 * Second), CtState.Close, seen: _now + Second) with { ServiceId = 1 });
        _growth.CatchUp();
        Assert.Equal((2u, 2u), (Get(1)!.Value.ServiceId, Get(2)!.Value.ServiceId));
    }

    [Fact]
    public void What_a_new_program_has_deleted_stays_so_unless_a_former_one_meets_it_again()
    {
        Put(_old, 1, Entry(_now - (60 * Second), CtState.TimeWait));
        _growth.Fill();
        _young.Delete(Key(1));
        _growth.CatchUp();
        Assert.Null(Get(1));
    }

    [Fact]
    public void Entries_without_a_time_follow_once()
    {
        using BpfMap old = Table<SockRevKey, SockRev>(64), young = Table<SockRevKey, SockRev>(128);
        using var growth = Begin(MapNames.SockRev, old, young);
        old.Update(new SockRevKey(1, default, default), new SockRev { ServiceId = 1 });
        growth.Fill();
        old.Update(new SockRevKey(2, default, default), new SockRev { ServiceId = 2 });
        growth.CatchUp();
        Assert.Equal(new uint[] { 1, 2 }, young.ReadAll<SockRevKey, SockRev>().Select(e => e.Value.ServiceId).Order());
        young.Delete(new SockRevKey(2, default, default)); // its socket is closed
        growth.Finish();
        Assert.Equal(1u, Assert.Single(young.ReadAll<SockRevKey, SockRev>()).Value.ServiceId);
    }

    [Fact]
    public void Counts_are_the_sum_of_what_both_kinds_of_programs_have_added()
    {
        using BpfMap old = Table<StatKey, Stat>(64), young = Table<StatKey, Stat>(128);
        using var growth = Begin(MapNames.Stat, old, young);
        StatKey both = new(default, 1, default), late = new(default, 2, default);
        old.Update(both, new Stat(10, 100, 1000, 200, 2000));
        growth.Fill();
        old.Update(both, new Stat(11, 105, 1050, 205, 2050));
        old.Update(late, new Stat(1, 0, 0, 0, 0));
        young.Update(both, new Stat(12, 100, 1000, 200, 2000));
        growth.CatchUp();
        growth.Finish();
        Assert.True(young.TryLookup(both, out Stat sum) && young.TryLookup(late, out Stat one) && one.Connections == 1);
        Assert.Equal(new Stat(13, 105, 1050, 205, 2050), sum);
    }

    private static TableGrowth Begin(string name, BpfMap old, BpfMap young)
    {
        Assert.NotNull(GrowthKind.Of(name));
        return GrowthKind.Of(name)!.Begin(old, young);
    }

    private static BpfMap Table<TKey, TValue>(uint entries) where TKey : unmanaged where TValue : unmanaged =>
        BpfMap.Create(new BpfMapSpec("growth", BpfMapType.LruHash, Unsafe.SizeOf<TKey>(), Unsafe.SizeOf<TValue>(), entries));

    private static CtKey Key(ushort port) =>
        new(Addr.Parse("10.244.0.1"), Addr.Parse("10.96.0.1"), U16Be.FromHost(port), U16Be.FromHost(80), IpProtocol.Tcp);

    private static Ct Entry(ulong created, CtState state, ulong seen = 0) =>
        new() { CreatedNs = created, LastSeenNs = seen == 0 ? created : seen, State = state };

    private static void Put(BpfMap map, ushort port, Ct entry) => map.Update(Key(port), entry);

    private Ct? Get(ushort port) => _young.TryLookup(Key(port), out Ct found) ? found : null;
}
