using System.Collections.Immutable;
using Ebpf.Cni.Compiler.Changes;
using Ebpf.Cni.Compiler.Model;
using Ebpf.Cni.Compiler.Output;
using Ebpf.Cni.Kubernetes.Decoding;

namespace Ebpf.Cni.Kubernetes.Store;

/// <summary>
/// The objects of one kind. Invariants: an object leaves only by its own deletion or by a complete list without it; an object of unchanged
/// version or content keeps its instance; an object that cannot be decoded keeps its last readable version and is listed in
/// <see cref="Undecodable"/>.
/// </summary>
internal sealed class ObjectSet<TKey, T>(
    string kind, Func<ObjectName, TKey> key, Func<T, T, bool> same, ImmutableSortedDictionary<TKey, T> empty, Action changed, Lock gate)
    : IObjectSink<T>
    where TKey : notnull
    where T : class
{
    private readonly Dictionary<ObjectName, Entry> _entries = [];
    private readonly Dictionary<ObjectName, CompileIssue> _undecodable = [];
    private readonly HashSet<TKey> _changed = [];
    private ImmutableSortedDictionary<TKey, T>? _taken;

    public ImmutableSortedDictionary<TKey, T> Items { get; private set; } = empty;

    public IReadOnlyCollection<CompileIssue> Undecodable => _undecodable.Values;

    public int Count => _entries.Count;

    /// <summary>A first complete list was taken in.</summary>
    public bool Listed { get; private set; }

    /// <summary>
    /// How <see cref="Items"/> differ from what they were at the last call; null at the first, and where most of them do.
    /// </summary>
    public KeyedChanges<TKey, T>? TakeChanges()
    {
        lock (gate)
        {
            KeyedChanges<TKey, T>? changes = _taken is null ? null : KeyedDifference.Hint(_taken, [.. _changed]);
            _taken = Items;
            _changed.Clear();
            return changes;
        }
    }

    public T? Find(in ObjectName name, string version)
    {
        lock (gate)
            return _entries.TryGetValue(name, out var entry) && entry.Version == version && version.Length > 0 ? entry.Value : null;
    }

    public bool Contains(in ObjectName name)
    {
        lock (gate)
            return _entries.ContainsKey(name);
    }

    public Freshness Upsert(in Decoded<T> item)
    {
        lock (gate)
        {
            var known = _entries.TryGetValue(item.Name, out var entry);
            if (known && ResourceVersions.IsOlder(item.Version, entry.Version))
                return Freshness.Stale;
            var touched = Note(item);
            if (item.Value is { } value && !(known && entry.Version == item.Version))
            {
                if (known && same(entry.Value, value))
                {
                    _entries[item.Name] = entry with { Version = item.Version };
                }
                else
                {
                    _entries[item.Name] = new Entry(item.Version, value);
                    Items = Items.SetItem(key(item.Name), value);
                    MarkChanged(key(item.Name));
                    touched = true;
                }
            }

            if (touched)
                changed();
            return Freshness.Taken;
        }
    }

    public Freshness Remove(in ObjectName name, string version)
    {
        lock (gate)
        {
            if (_entries.TryGetValue(name, out var entry) && ResourceVersions.IsOlder(version, entry.Version))
                return Freshness.Stale;
            var touched = _undecodable.Remove(name);
            if (_entries.Remove(name))
            {
                Items = Items.Remove(key(name));
                MarkChanged(key(name));
                touched = true;
            }

            if (touched)
                changed();
            return Freshness.Taken;
        }
    }

    public void Replace(IReadOnlyList<Decoded<T>> items)
    {
        lock (gate)
        {
            var next = new Dictionary<ObjectName, Decoded<T>>(items.Count);
            var nameless = false;
            foreach (var item in items)
            {
                if (item.HasName)
                    next[item.Name] = item;
                else
                    nameless = true;
            }

            // An element without a readable name may be any object: nothing can be said to have vanished.
            var gone = nameless ? [] : _entries.Keys.Where(n => !next.ContainsKey(n)).ToList();
            var fresh = new List<KeyValuePair<TKey, T>>();
            var touched = _undecodable.Count > 0;
            if (!nameless)
                _undecodable.Clear();
            foreach (var item in next.Values)
            {
                touched |= Note(item);
                if (Merge(item) is { } value)
                    fresh.Add(new(key(item.Name), value));
            }

            foreach (var name in gone)
                _entries.Remove(name);
            Rebuild(fresh, gone);
            touched |= !Listed || fresh.Count + gone.Count > 0;
            Listed = true;
            if (touched)
                changed();
        }
    }

    /// <summary>The instance that is new to <see cref="Items"/>; null when what is held stays.</summary>
    private T? Merge(in Decoded<T> item)
    {
        if (item.Value is not { } value)
            return null;
        if (!_entries.TryGetValue(item.Name, out var entry))
        {
            _entries[item.Name] = new Entry(item.Version, value);
            return value;
        }

        // A list is the truth, even when its versions are lower than ours (a restored etcd).
        if ((item.Version == entry.Version && item.Version.Length > 0) || ReferenceEquals(entry.Value, value) || same(entry.Value, value))
        {
            _entries[item.Name] = entry with { Version = item.Version };
            return null;
        }

        _entries[item.Name] = new Entry(item.Version, value);
        return value;
    }

    /// <summary>A list that changes most of the set is sorted and built once; a small difference shares the rest of the tree.</summary>
    private void Rebuild(List<KeyValuePair<TKey, T>> fresh, List<ObjectName> gone)
    {
        if (fresh.Count == 0 && gone.Count == 0)
            return;
        foreach (var name in gone)
            MarkChanged(key(name));
        foreach (var (name, _) in fresh)
            MarkChanged(name);
        if ((fresh.Count + gone.Count) * 4L > _entries.Count)
        {
            Items = Items.Clear().AddRange(_entries.Select(e => KeyValuePair.Create(key(e.Key), e.Value.Value)));
            return;
        }

        var builder = Items.ToBuilder();
        builder.RemoveRange(gone.Select(key));
        foreach (var (name, value) in fresh)
            builder[name] = value;
        Items = builder.ToImmutable();
    }

    /// <summary>Until the first list is taken, no change is noted: there is nothing that it could differ from.</summary>
    private void MarkChanged(TKey name)
    {
        if (_taken is not null)
            _changed.Add(name);
    }

    /// <summary>Keeps the list of undecodable objects; true when it changed.</summary>
    private bool Note(in Decoded<T> item)
    {
        if (item.Error is null)
            return _undecodable.Remove(item.Name);
        var kept = _entries.ContainsKey(item.Name) ? "its last decodable version stays in effect" : "it is ignored";
        var issue = new CompileIssue(kind, item.Name, item.Uid, "Undecodable", $"The object cannot be decoded ({item.Error}); {kept}.");
        var isNew = !_undecodable.TryGetValue(item.Name, out var old) || old != issue;
        _undecodable[item.Name] = issue;
        return isNew;
    }

    private readonly record struct Entry(string Version, T Value);
}
