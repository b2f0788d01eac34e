using Ebpf.Cni.Abi;

namespace Ebpf.Cni.Agent.Metrics;

/// <summary>What is to be counted for one series; the default key stands for all that have none of their own.</summary>
internal readonly record struct SeriesChange<TKey>(TKey Key, bool IsOther, Stat Delta);

/// <summary>
/// Counters for the most used of many keys. Who has a series keeps it while it exists, and gives it up only to one that is used twice as
/// much: series that come and go with every reading would be worth nothing. The rest is one series. All of them only grow.
/// </summary>
internal sealed class BoundedSeries<TKey>(int most) where TKey : struct
{
    private readonly Dictionary<TKey, Stat> _seen = [];
    private readonly HashSet<TKey> _members = [];

    /// <param name="totals">All keys that exist, and what they were used since ever.</param>
    /// <param name="gone">Keys whose series end.</param>
    public IReadOnlyList<SeriesChange<TKey>> Update(IReadOnlyDictionary<TKey, Stat> totals, out IReadOnlyList<TKey> gone)
    {
        var ended = _members.Where(m => !totals.ContainsKey(m)).ToList();
        _members.ExceptWith(ended);
        Choose(totals, ended);
        gone = ended;

        var changes = new List<SeriesChange<TKey>>();
        var other = default(Stat);
        foreach (var (key, total) in totals)
        {
            var delta = Grown(_seen.GetValueOrDefault(key), total);
            if (_members.Contains(key))
                changes.Add(new SeriesChange<TKey>(key, false, delta));
            else
                other = Sum(other, delta);
            _seen[key] = total;
        }

        foreach (var key in _seen.Keys.Where(k => !totals.ContainsKey(k)).ToList())
            _seen.Remove(key);
        changes.Add(new SeriesChange<TKey>(default, true, other));
        return changes;
    }

    private void Choose(IReadOnlyDictionary<TKey, Stat> totals, List<TKey> ended)
    {
        if (totals.Count <= most)
        {
            _members.UnionWith(totals.Keys);
            return;
        }

        var waiting = new Queue<TKey>(totals.Keys.Where(k => !_members.Contains(k)).OrderByDescending(k => Use(totals[k])).Take(most));
        while (_members.Count < most && waiting.TryDequeue(out var next))
            _members.Add(next);
        var least = new Queue<TKey>(_members.OrderBy(m => Use(totals[m])));
        while (waiting.TryDequeue(out var next) && least.TryDequeue(out var weakest) && Use(totals[next]) > 2 * Use(totals[weakest]))
        {
            _members.Remove(weakest);
            _members.Add(next);
            ended.Add(weakest);
        }
    }

    private static double Use(Stat s) => s.Connections + (double)s.PacketsTo + s.PacketsFrom;

    public static Stat Sum(Stat a, Stat b) => new(
        a.Connections + b.Connections, a.PacketsTo + b.PacketsTo, a.BytesTo + b.BytesTo, a.PacketsFrom + b.PacketsFrom,
        a.BytesFrom + b.BytesFrom);

    private static Stat Grown(Stat before, Stat now) => new(
        Grown(before.Connections, now.Connections), Grown(before.PacketsTo, now.PacketsTo), Grown(before.BytesTo, now.BytesTo),
        Grown(before.PacketsFrom, now.PacketsFrom), Grown(before.BytesFrom, now.BytesFrom));

    /// <summary>
    /// A little less than before is a connection whose entry had to make room before it was counted as ended; much less is a counter that
    /// was forgotten and began again.
    /// </summary>
    private static ulong Grown(ulong before, ulong now) => now >= before ? now - before : now < before / 2 ? now : 0;
}
