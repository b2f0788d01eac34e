using System.Globalization;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>One version of one object of the fake API.</summary>
public sealed record FakeObject(string Path, string Name, long Version, string Json)
{
    /// <summary>Whether a selector of the form !key,!key lets it pass; null: whatever it is.</summary>
    public bool Matches(string? selector) =>
        selector is null || selector.Split(',').All(term => !Json.Contains($"\"{term.TrimStart('!')}\":", StringComparison.Ordinal));
}

/// <summary>Something that happened on the fake API.</summary>
/// <param name="Object">As it is now; of a DELETED one, as it was.</param>
/// <param name="Previous">As it was; null: it is new.</param>
public sealed record FakeChange(long Version, string Type, FakeObject Object, FakeObject? Previous)
{
    /// <summary>
    /// The change as a watch with a selector sees it; null: not at all. What ceases to match is deleted, what begins to is added.
    /// </summary>
    public FakeChange? Through(string? selector)
    {
        var did = Previous?.Matches(selector) == true;
        var does = Type != "DELETED" && Object.Matches(selector);
        return (did, does) switch
        {
            (false, false) => null,
            (true, true) => this,
            (false, true) => this with { Type = "ADDED" },
            _ => this with { Type = "DELETED" },
        };
    }
}

/// <summary>
/// The truth the reflectors are to follow: objects, one global version counter, and the history since the last compaction.
/// Objects are templates in which VERSION stands for the resourceVersion.
/// </summary>
public sealed class FakeCluster
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<(string Path, string Name), FakeObject> _objects = [];
    private readonly List<FakeChange> _history = [];
    private readonly HashSet<(string Path, string Name)> _everDeleted = [];
    private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public long Version { get; private set; } = 100;

    /// <summary>Versions up to here can no longer be watched from, and page tokens issued up to here have expired.</summary>
    public long Compacted { get; private set; }

    public long Put(string path, string name, string template) => Change(() =>
    {
        var type = _objects.TryGetValue((path, name), out var previous) ? "MODIFIED" : "ADDED";
        var item = new FakeObject(path, name, Version,
            template.Replace("VERSION", Version.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        _objects[(path, name)] = item;
        _history.Add(new FakeChange(Version, type, item, previous));
    });

    /// <summary>The DELETED event carries the last content in the version of the deletion, as etcd's watchers see it.</summary>
    public long Delete(string path, string name) => Change(() =>
    {
        if (!_objects.Remove((path, name), out var old))
            return;
        _everDeleted.Add((path, name));
        var json = old.Json.Replace($"\"resourceVersion\":\"{old.Version}\"", $"\"resourceVersion\":\"{Version}\"",
            StringComparison.Ordinal);
        _history.Add(new FakeChange(Version, "DELETED", old with { Version = Version, Json = json }, old));
    });

    /// <summary>Forgets history: watches from before and page tokens from before get 410.</summary>
    /// <param name="elsewhere">Something happened to another kind meanwhile, so that every version known to a client is too old.</param>
    public void Compact(bool elsewhere = true)
    {
        lock (_gate)
        {
            if (elsewhere)
                Version++;
            Compacted = Version;
            _history.Clear();
        }
    }

    public bool EverDeleted(string path, string name)
    {
        lock (_gate)
            return _everDeleted.Contains((path, name));
    }

    public (long Version, List<FakeObject> Objects) List(string path, string? selector = null)
    {
        lock (_gate)
            return (Version, [.. _objects.Where(o => o.Key.Path == path && o.Value.Matches(selector)).Select(o => o.Value)]);
    }

    /// <summary>etcd is restored from a backup of now by calling what is returned: objects and version are as they were.</summary>
    public Action Backup()
    {
        lock (_gate)
        {
            var (version, objects) = (Version, _objects.ToList());
            return () =>
            {
                lock (_gate)
                {
                    Version = version;
                    _objects.Clear();
                    foreach (var (key, value) in objects)
                        _objects.Add(key, value);
                    _history.Clear();
                }
            };
        }
    }

    /// <summary>What happened to a kind after a version, and a task that ends with the next change.</summary>
    public (List<FakeChange> Changes, long Version, Task More) Since(string path, string? selector, long version)
    {
        lock (_gate)
            return (
                [
                    .. _history.Where(c => c.Object.Path == path && c.Version > version)
                        .Select(c => c.Through(selector))
                        .OfType<FakeChange>(),
                ],
                Version,
                _changed.Task);
    }

    /// <summary>Wakes the watches without a change (to make them send a bookmark, or end).</summary>
    public void Wake()
    {
        TaskCompletionSource old;
        lock (_gate)
        {
            old = _changed;
            _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        old.SetResult();
    }

    private long Change(Action change)
    {
        lock (_gate)
        {
            Version++;
            change();
        }

        Wake();
        return Version;
    }
}
