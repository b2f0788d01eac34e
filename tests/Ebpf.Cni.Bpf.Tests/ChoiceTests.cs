using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Bpf.Tests.Fixtures;

namespace Ebpf.Cni.Bpf.Tests;

/// <summary>Session affinity and source ranges as both paths use them.</summary>
public sealed class ChoiceTests
{
    /// <summary>Less than the machine has been running: there is no earlier time than its start.</summary>
    private const uint AffinitySeconds = 40;
    private static readonly Backend[] Ten = [.. Enumerable.Range(1, 10)
        .Select(i => new Backend(Addr.Parse($"10.2.0.{i}"), U16Be.FromHost(8080), BackendFlags.None, 7))];
    private static readonly Svc Plain = new(0, 10, 7, SvcFlags.None, 0), Affine = Plain with { AffinitySec = AffinitySeconds };
    private static readonly Addr Client = Addr.Parse(Address.Client4);
    private static readonly AffinityKey Key = new(Client, 7);

    private static Affinity To(Backend backend, ulong lastUsed) =>
        new() { Addr = backend.Addr, Port = backend.Port, LastUsedNs = lastUsed };

    // CLOCK_MONOTONIC
    private static ulong Ago(double seconds) => (ulong)(Stopwatch.GetTimestamp() - (long)(seconds * Stopwatch.Frequency));

    private static ChoosePrograms Prepared()
    {
        var programs = new ChoosePrograms();
        programs.Write(0, Ten);
        return programs;
    }

    [Fact]
    public void Without_affinity_the_pick_decides_and_nothing_is_written()
    {
        using var programs = Prepared();
        Assert.Equal([0u, 3u, 9u, 5u], new[] { 0u, 3u, 19u, uint.MaxValue }.Select(pick => programs.Choose(Plain, Client, pick)!.Value));
        Assert.Empty(programs.Affinities.ReadAll<AffinityKey, Affinity>());
    }

    [Fact]
    public void A_client_without_an_entry_always_gets_the_same_backend_and_clients_spread()
    {
        using var programs = Prepared();
        var met = new int[10];
        for (var i = 0; i < 400; i++)
        {
            var client = Addr.Parse($"10.1.{i / 200}.{i % 200}");
            var first = programs.Choose(Affine, client, (uint)i)!.Value;
            Assert.True(programs.Affinities.Delete(new AffinityKey(client, 7)));
            Assert.Equal(first, programs.Choose(Affine, client, (uint)i + 1));
            met[first]++;
        }
        // 40 each; the addresses are fixed, so are the shares
        Assert.All(met, share => Assert.InRange(share, 15, 75));
    }

    [Fact]
    public void An_entry_is_kept_and_refreshed_until_its_time_is_over()
    {
        using var programs = Prepared();
        var chosen = programs.Choose(Affine, Client, 0)!.Value;
        var other = (chosen + 1) % 10;

        var old = Ago(AffinitySeconds - 5);
        programs.Affinities.Update(Key, To(Ten[other], old));
        Assert.Equal(other, programs.Choose(Affine, Client, 0));
        Assert.True(programs.Affinities.TryLookup(Key, out Affinity refreshed));
        Assert.InRange(refreshed.LastUsedNs, Ago(10), Ago(0));

        programs.Affinities.Update(Key, To(Ten[other], Ago(AffinitySeconds + 1)));
        Assert.Equal(3u, programs.Choose(Affine, Client, 13));
        Assert.True(programs.Affinities.TryLookup(Key, out Affinity rewritten));
        Assert.Equal((Ten[3].Addr, Ten[3].Port), (rewritten.Addr, rewritten.Port));
    }

    [Fact]
    public void A_backend_that_is_no_longer_one_is_left()
    {
        using var programs = Prepared();
        // in the segment's tail: it serves, but is not chosen
        programs.Affinities.Update(Key, To(Ten[9], Ago(0)));
        var shorter = Affine with { Count = 5, Tail = 5 };
        var now = programs.Choose(shorter, Client, 0)!.Value;
        Assert.InRange(now, 0u, 4u);
        Assert.True(programs.Affinities.TryLookup(Key, out Affinity entry));
        Assert.Equal(Ten[now].Addr, entry.Addr);
        // another's backend, as a reader of a reused element could see it
        programs.Affinities.Update(Key, To(new Backend(Addr.Parse("10.66.6.6"), U16Be.FromHost(8080), BackendFlags.None, 8), Ago(0)));
        Assert.Equal(4u, programs.Choose(Affine, Client, 14));
        // the right address, another port
        programs.Affinities.Update(Key, To(Ten[1] with { Port = U16Be.FromHost(8081) }, Ago(0)));
        Assert.Equal(5u, programs.Choose(Affine, Client, 15));
    }

    [Fact]
    public void Entries_are_of_one_client_and_one_service()
    {
        using var programs = Prepared();
        var chosen = programs.Choose(Affine, Client, 0)!.Value;
        programs.Affinities.Update(Key, To(Ten[(chosen + 1) % 10], Ago(0)));
        var elsewhere = Addr.Parse(Address.Client6);
        var (otherClient, otherService) = (programs.Choose(Affine, elsewhere, 0),
            programs.Choose(Affine with { ServiceId = 8 }, Client, 0));
        programs.Affinities.Delete(Key);
        Assert.Equal(chosen, programs.Choose(Affine, Client, 0));
        Assert.Equal((otherClient, otherService),
            (programs.Choose(Affine, elsewhere, 0), programs.Choose(Affine with { ServiceId = 8 }, Client, 0)));
        Assert.Equal(3, programs.Affinities.ReadAll<AffinityKey, Affinity>().Count);
    }

    [Theory]
    [InlineData("10.1.0.10", true), InlineData("10.1.0.200", true), InlineData("10.1.1.10", false), InlineData("192.0.2.1", true)]
    [InlineData("192.0.2.2", false), InlineData("fd00:1::10", true), InlineData("fd00:2::10", false), InlineData("100::1", false)]
    public void Only_clients_in_a_range_are_allowed(string client, bool allowed)
    {
        using var programs = Prepared();
        var ranged = Plain with { Flags = SvcFlags.SourceRanges };
        var addr = Addr.Parse(client);
        Assert.False(programs.Allowed(ranged, addr)); // no range at all: nobody
        foreach (var (prefix, bits) in new[] { ("10.1.0.0", 96 + 24), ("192.0.2.1", 96 + 32), ("fd00:1::", 32) })
            programs.SourceRanges.Update(new SrangeKey(32 + (uint)bits, U32Be.FromHost(7), Addr.Parse(prefix)), new Srange(1));
        Assert.Equal(allowed, programs.Allowed(ranged, addr));
        Assert.False(programs.Allowed(ranged with { ServiceId = 8 }, addr)); // another service's ranges
        Assert.True(programs.Allowed(Plain, addr)); // a service without them
    }
}
