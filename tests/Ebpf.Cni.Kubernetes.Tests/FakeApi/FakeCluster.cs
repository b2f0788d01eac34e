using System.Globalization;

namespace Ebpf.Cni.Kubernetes.Tests.FakeApi;

/// <summary>One version of one object of the fake API.</summary>
public sealed record FakeObject(string Path, string Name, long Version, string Json);

/// <summary>Something that happened on the fake API.</summary>
public sealed record FakeChange(long Version, string Type, FakeObject Object);

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
        var type = _objects.ContainsKey((path, name)) ? "MODIFIED" : "ADDED";
        var item = new FakeObject(path, name, Version, template.Replace("VERSION", Version.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        _objects[(path, name)] = item;
        _history.Add(new FakeChange(Version, type, item));
    });

    /// <summary>The DELETED event carries the last content in the version of the deletion, as etcd's watchers see it.</summary>
    public long Delete(string path, string name) => Change(() =>
    {
        if (!_objects.Remove((path, name), out var old))
            return;
        _everDeleted.Add((path, name));
        var json = old.Json.Replace($"\"resourceVersion\":\"{old.Version}\"", $"\"resourceVersion\":\"{Version}\"", StringComparison.Ordinal);
        _history.Add(new FakeChange(Version, "DELETED", old with { Version = Version, Json = json }));
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

    public (long Version, List<FakeObject> Objects) List(string path)
    {
        lock (_gate)
            return (Version, [.. _objects.Where(o => o.Key.Path == path).Select(o => o.Value)]);
    }

    /// <summary>What happened to a kind after a version, and a task that ends with the next change.</summary>
    public (List<FakeChange> Changes, long Version, Task More) Since(string path, long version)
    {
        lock (_gate)
            return ([.. _history.Where(c => c.Object.Path == path && c.Version > version)], Version, _changed.Task);
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
