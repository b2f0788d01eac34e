using Ebpf.Cni.Bpf.Tests.Fixtures;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Dead connections go, and take nothing with them that lives.</summary>
public sealed class ReapTests : IClassFixture<ReapTests.Loaded>
{
    private const int Batch = 64;
    private const ulong Second = 1_000_000_000;

    private readonly BpfProgram _reap;
    private readonly ConntrackMaps _conntrack;
    private readonly BpfMap _stats;

    public ReapTests(Loaded loaded)
    {
        (_reap, _conntrack, _stats) = (loaded.Program, loaded.Conntrack, loaded.Stats);
        foreach (var (key, _) in _conntrack.ReadAll())
            _conntrack.Delete(key);
        Empty<StatKey, Stat>(_stats);
    }

    /// <summary>uplink.bpf.o with small tables and a time-out of its own for each state.</summary>
    public sealed class Loaded : IDisposable
    {
        private readonly BpfObject _object;

        public Loaded()
        {
            Requires.Root();
            _object = BpfObject.Open(Repository.BpfObject("uplink"));
            _object.SetReadOnlyGlobal(MapNames.Config,
                new Config(ConfigFlags.None, 32768, 65535, 0, new CtTimeouts(60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74), 0,
                0, 0, 0, default));
            _object.SetMaxEntries(MapNames.ConntrackTcp, 16384);
            _object.SetMaxEntries(MapNames.ConntrackAny, 16384);
            _object.Load();
            Program = _object.GetProgram("ebc_ct_reap");
            Conntrack = new ConntrackMaps(_object.GetMap(MapNames.ConntrackTcp), _object.GetMap(MapNames.ConntrackAny));
            Stats = _object.GetMap(MapNames.Stat);
        }

        internal BpfProgram Program { get; }
        internal ConntrackMaps Conntrack { get; }
        internal BpfMap Stats { get; }

        public void Dispose()
        {
            Program.Dispose();
            Stats.Dispose();
            _object.Dispose();
        }
    }

    private static void Empty<TKey, TValue>(BpfMap map) where TKey : unmanaged where TValue : unmanaged
    {
        foreach (var (key, _) in map.ReadAll<TKey, TValue>())
            map.Delete(key);
    }

    private static ulong Now => (ulong)Stopwatch.GetTimestamp();

    private uint Reap(params CtKey[] keys) =>
        _reap.TestRun([.. new byte[14], .. MemoryMarshal.AsBytes<CtKey>(keys)]).ReturnValue;

    private static Addr V4(int a, int b) => Addr.Parse($"10.{a}.0.{b}");

    private static (CtKey Forward, CtKey Reply) Keys(int i)
    {
        var (client, vip, backend) = (V4(1, (i % 200) + 1), V4(96, 1), V4(2, (i % 5) + 1));
        var port = U16Be.FromHost((ushort)(1000 + i));
        return (new CtKey(client, vip, port, U16Be.FromHost(80), IpProtocol.Tcp),
            new CtKey(backend, client, U16Be.FromHost(8080), port, IpProtocol.Tcp));
    }

    /// <summary>The value under the key that makes of its packets the mirror image of the twin's.</summary>
    private static Ct Value(CtKey twin, CtState state, ulong created, ulong seen, CtFlags flags, ulong packets) => new()
    {
        Src = twin.Dst, Dst = twin.Src, Sport = twin.Dport, Dport = twin.Sport, Flags = flags, State = state, ServiceId = 9,
        CreatedNs = created, LastSeenNs = seen, Packets = packets, Bytes = packets * 100,
    };

    private (CtKey Forward, CtKey Reply) Pair(int i, ulong forwardSeen, ulong replySeen, CtFlags flags = CtFlags.Service)
    {
        var (forward, reply) = Keys(i);
        _conntrack.Update(forward, Value(reply, CtState.SynSent, 5, forwardSeen, flags, 3));
        _conntrack.Update(reply, Value(forward, CtState.SynSent, 5, replySeen, flags | CtFlags.Reply, 2));
        return (forward, reply);
    }

    private static ulong Dead => Now - (100 * Second);

    [Theory, InlineData(true), InlineData(false)]
    public void A_dead_pair_goes_by_either_key_and_its_traffic_is_kept(bool byForward)
    {
        var (forward, reply) = Pair(1, Dead, Dead);
        Assert.Equal(1u, Reap(byForward ? forward : reply));
        Assert.Empty(_conntrack.ReadAll<CtKey, Ct>());
        var (key, stat) = Assert.Single(_stats.ReadAll<StatKey, Stat>());
        Assert.Equal(new StatKey(reply.Src, 9, reply.Sport), key);
        Assert.Equal(new Stat(0, 3, 300, 2, 200), stat);
    }

    [Fact]
    public void Traffic_adds_up_and_that_of_no_service_is_nobodys()
    {
        var keys = Enumerable.Range(0, 10).Select(i => Pair(i, Dead, Dead, i < 5 ? CtFlags.Service : CtFlags.Masquerade).Forward).ToArray();
        Assert.Equal(10u, Reap(keys));
        Assert.Equal(0u, Reap(keys));
        Assert.Equal(15UL, _stats.ReadAll<StatKey, Stat>().Aggregate(0UL, (sum, s) => sum + s.Value.PacketsTo));
        Assert.Equal(10UL, _stats.ReadAll<StatKey, Stat>().Aggregate(0UL, (sum, s) => sum + s.Value.PacketsFrom));
    }

    [Theory, InlineData(true), InlineData(false)]
    public void A_pair_that_was_used_since_it_was_chosen_lives(bool forwardWasUsed)
    {
        var (forward, reply) = Pair(1, Dead, Dead);
        var used = forwardWasUsed ? forward : reply;
        Assert.True(_conntrack.TryLookup(used, out Ct entry));
        _conntrack.Update(used, entry with { LastSeenNs = Now });
        Assert.Equal(0u, Reap(forward, reply));
        Assert.Equal(2, _conntrack.ReadAll<CtKey, Ct>().Count);
    }

    [Fact]
    public void The_entry_of_a_later_connection_is_nobodys_twin()
    {
        var (forward, reply) = Pair(1, Dead, Dead);
        Assert.True(_conntrack.TryLookup(reply, out Ct entry));
        _conntrack.Update(reply, entry with { CreatedNs = 6 }); // dead as well, but not of this connection
        Assert.Equal(1u, Reap(forward));
        Assert.Equal(reply, Assert.Single(_conntrack.ReadAll<CtKey, Ct>()).Key);
        Assert.Equal(new Stat(0, 3, 300, 0, 0), Assert.Single(_stats.ReadAll<StatKey, Stat>()).Value);
    }

    [Fact]
    public void A_run_takes_as_many_keys_as_fit_and_ignores_the_rest_of_the_bytes()
    {
        var keys = Enumerable.Range(0, Batch).Select(i => Pair(i, Dead, Dead).Forward).ToArray();
        Assert.Equal((uint)Batch, _reap.TestRun([.. new byte[14], .. MemoryMarshal.AsBytes<CtKey>(keys), .. new byte[39]]).ReturnValue);
        Assert.Equal(0u, _reap.TestRun(new byte[14]).ReturnValue);
    }

    [Fact]
    public void Random_tables_lose_the_dead_and_nothing_else()
    {
        var random = new Random(Seed.Next());
        for (var round = 0; round < 100; round++)
        {
            foreach (var (key, _) in _conntrack.ReadAll())
            _conntrack.Delete(key);
            var model = new Dictionary<CtKey, Ct>();
            for (var i = 0; i < 100; i++)
                Fill(model, random, i);
            foreach (var (key, value) in model)
                _conntrack.Update(key, value);
            var chosen = Enumerable.Range(0, Batch).Select(_ =>
                random.Next(10) == 0 ? Keys(1000 + random.Next(50)).Forward : model.Keys.ElementAt(random.Next(model.Count))).ToArray();
            var expected = chosen.Count(key => ReapModel(model, key));
            Assert.Equal((uint)expected, Reap(chosen));
            Assert.Equal(
                model.Select(e => (e.Key, e.Value)).OrderBy(e => e.Key.ToString()),
                _conntrack.ReadAll<CtKey, Ct>().Select(e => (e.Key, e.Value)).OrderBy(e => e.Key.ToString()));
        }
    }

    // alive with half a minute to spare, or dead for certain
    private static ulong Seen(Random random) => random.Next(3) == 0 ? Now - (ulong)random.Next(30) * Second : Dead;

    private static void Fill(Dictionary<CtKey, Ct> model, Random random, int i)
    {
        var (forward, reply) = Keys(i);
        var state = (CtState)random.Next(14);
        var flags = random.Next(2) == 0 ? CtFlags.Service : CtFlags.Masquerade;
        if (random.Next(8) > 0)
            model[forward] = Value(reply, state, 5, Seen(random), flags, (ulong)random.Next(100));
        if (random.Next(8) > 0)
            model[reply] = Value(forward, random.Next(4) == 0 ? (CtState)random.Next(14) : state, random.Next(5) == 0 ? 6u : 5u,
                Seen(random), flags | CtFlags.Reply, (ulong)random.Next(100));
    }

    private static bool IsDead(Ct entry) => Now - entry.LastSeenNs > 80 * Second;

    private static bool ReapModel(Dictionary<CtKey, Ct> model, CtKey key)
    {
        if (!model.TryGetValue(key, out var entry) || !IsDead(entry))
            return false;
        var twinKey = new CtKey(entry.Dst, entry.Src, entry.Dport, entry.Sport, key.Proto);
        var twin = model.TryGetValue(twinKey, out var found) && found.CreatedNs == entry.CreatedNs ? found : (Ct?)null;
        if (twin is { } other && !IsDead(other))
            return false;
        model.Remove(key);
        if (twin is not null)
            model.Remove(twinKey);
        return true;
    }
}
