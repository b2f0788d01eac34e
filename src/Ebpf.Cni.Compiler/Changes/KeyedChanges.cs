using System.Collections.Immutable;

namespace Ebpf.Cni.Compiler.Changes;

/// <summary>
/// How a sorted dictionary came out of another one, as far as its maker knows. A hint:
/// a reader that holds <paramref name="Since"/> need not compare the two as a whole.
/// </summary>
/// <param name="Since">The dictionary before.</param>
/// <param name="Keys">Each once; all keys whose value is another object now, came or went, and perhaps others.</param>
public sealed record KeyedChanges<TKey, TValue>(ImmutableSortedDictionary<TKey, TValue> Since, IReadOnlyCollection<TKey> Keys)
    where TKey : notnull
    where TValue : class;

/// <summary>Finds what differs between two sorted dictionaries of immutable objects.</summary>
public static class KeyedDifference
{
    private const int FewKeys = 1000;

    /// <summary>
    /// Keys whose values are not the same object in both. With a <paramref name="hint"/> about <paramref name="before"/>
    /// that costs what changed (and keys may be among them that did not); without, one walk over both.
    /// </summary>
    public static IReadOnlyCollection<TKey> Between<TKey, TValue>(
        ImmutableSortedDictionary<TKey, TValue> before, ImmutableSortedDictionary<TKey, TValue> after, KeyedChanges<TKey, TValue>? hint)
        where TKey : notnull
        where TValue : class
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        if (ReferenceEquals(before, after))
            return [];
        return hint is not null && ReferenceEquals(hint.Since, before) ? hint.Keys : Walk(before, after);
    }

    /// <summary>
    /// A hint for readers that hold <paramref name="since"/>; null where most of a large dictionary is
    /// different: a walk costs no more then, and all that was before would be kept alive by the hint.
    /// </summary>
    /// <param name="since">The dictionary before.</param>
    /// <param name="keys">Each once; all that may be different.</param>
    public static KeyedChanges<TKey, TValue>? Hint<TKey, TValue>(
        ImmutableSortedDictionary<TKey, TValue> since, IReadOnlyCollection<TKey> keys)
        where TKey : notnull
        where TValue : class
    {
        ArgumentNullException.ThrowIfNull(since);
        ArgumentNullException.ThrowIfNull(keys);
        return keys.Count > FewKeys && keys.Count > since.Count / 2 ? null : new KeyedChanges<TKey, TValue>(since, keys);
    }

    private static List<TKey> Walk<TKey, TValue>(
        ImmutableSortedDictionary<TKey, TValue> before, ImmutableSortedDictionary<TKey, TValue> after)
        where TKey : notnull
        where TValue : class
    {
        var found = new List<TKey>();
        var order = after.KeyComparer;
        using var old = before.GetEnumerator();
        var more = old.MoveNext();
        foreach (var (key, value) in after)
        {
            var c = -1;
            while (more && (c = order.Compare(old.Current.Key, key)) < 0)
            {
                found.Add(old.Current.Key);
                more = old.MoveNext();
            }
            var same = more && c == 0;
            if (!same || !ReferenceEquals(old.Current.Value, value))
                found.Add(key);
            if (same)
                more = old.MoveNext();
        }
        while (more)
        {
            found.Add(old.Current.Key);
            more = old.MoveNext();
        }
        return found;
    }
}
