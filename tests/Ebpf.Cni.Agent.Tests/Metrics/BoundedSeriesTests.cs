using Ebpf.Cni.Abi;
using Ebpf.Cni.Agent.Metrics;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.Agent.Tests.Metrics;

/// <summary>The most used of many, in a bounded number of series that only grow.</summary>
public class BoundedSeriesTests
{
    [Fact]
    public void The_most_used_have_their_own_and_the_rest_is_one()
    {
        var series = new BoundedSeries<int>(2);
        var changes = series.Update(Totals((1, 5), (2, 50), (3, 500)), out _);
        Assert.Equal([(2, false, 50ul), (3, false, 500ul), (0, true, 5ul)], Read(changes));
        changes = series.Update(Totals((1, 8), (2, 50), (3, 501)), out var gone);
        Assert.Equal([(2, false, 0ul), (3, false, 1ul), (0, true, 3ul)], Read(changes));
        Assert.Empty(gone);
    }

    [Fact]
    public void A_little_more_use_takes_no_series_away_and_twice_as_much_does()
    {
        var series = new BoundedSeries<int>(1);
        series.Update(Totals((1, 100), (2, 10)), out _);
        Assert.Equal([(1, false, 0ul), (0, true, 140ul)], Read(series.Update(Totals((1, 100), (2, 150)), out _)));
        Assert.Equal([(2, false, 100ul), (0, true, 0ul)], Read(series.Update(Totals((1, 100), (2, 250)), out var gone)));
        Assert.Equal([1], gone);
    }

    [Fact]
    public void What_is_gone_makes_room()
    {
        var series = new BoundedSeries<int>(1);
        series.Update(Totals((1, 100), (2, 10)), out _);
        Assert.Equal([(2, false, 1ul), (0, true, 0ul)], Read(series.Update(Totals((2, 11)), out var gone)));
        Assert.Equal([1], gone);
    }

    [Fact]
    public void A_counter_that_was_forgotten_starts_again_and_one_that_lost_a_little_waits()
    {
        var series = new BoundedSeries<int>(1);
        series.Update(Totals((1, 100)), out _);
        Assert.Equal((1, false, 3ul), Read(series.Update(Totals((1, 3)), out _))[0]);
        series.Update(Totals((1, 100)), out _);
        Assert.Equal((1, false, 0ul), Read(series.Update(Totals((1, 99)), out _))[0]);
    }

    [Fact]
    public void Random_histories_lose_nothing_and_never_have_too_many()
    {
        var random = new Random(Seed.Next());
        var series = new BoundedSeries<int>(5);
        var totals = new Dictionary<int, Stat>();
        var (sum, used, members) = (0ul, 0ul, new HashSet<int>());
        for (var round = 0; round < 500; round++)
        {
            var key = random.Next(1, 30);
            var more = (ulong)random.Next(1000);
            totals[key] = BoundedSeries<int>.Sum(totals.GetValueOrDefault(key), new Stat(more, 0, 0, 0, 0));
            used += more;
            var changes = series.Update(totals, out var gone);
            members.ExceptWith(gone);
            members.UnionWith(changes.Where(c => !c.IsOther).Select(c => c.Key));
            Assert.True(members.Count <= 5);
            sum += changes.Aggregate(0ul, (s, c) => s + c.Delta.Connections);
            Assert.Equal(used, sum);
        }
    }

    private static Dictionary<int, Stat> Totals(params (int Key, ulong Connections)[] totals) =>
        totals.ToDictionary(t => t.Key, t => new Stat(t.Connections, 0, 0, 0, 0));

    private static List<(int, bool, ulong)> Read(IEnumerable<SeriesChange<int>> changes) =>
        [.. changes.OrderBy(c => c.IsOther).ThenBy(c => c.Key).Select(c => (c.Key, c.IsOther, c.Delta.Connections))];
}
