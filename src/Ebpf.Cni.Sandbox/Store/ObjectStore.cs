using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>
/// Every object of the cluster, in memory, under one counter of versions as in etcd. Knows nothing of any kind's meaning: defaults,
/// validation and addresses are the API's business (<c>ResourceService</c>); tests may write nonsense here that the API would refuse.
/// </summary>
public sealed class ObjectStore
{
    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly EventHistory _history;
    private readonly ListPages _pages = new();
    private readonly Dictionary<ResourceType, ImmutableSortedDictionary<string, StoredObject>> _objects = [];
    private long _version = 1;

    /// <param name="time">Stamps creationTimestamp.</param>
    /// <param name="historyCapacity">How many changes a watch may lag behind before it is told 410.</param>
    public ObjectStore(TimeProvider? time = null, int historyCapacity = 20_000)
    {
        _time = time ?? TimeProvider.System;
        _history = new EventHistory(historyCapacity);
        foreach (var type in ResourceTypes.All)
            _objects[type] = ImmutableSortedDictionary.Create<string, StoredObject>(StringComparer.Ordinal);
    }

    public long ResourceVersion
    {
        get
        {
            lock (_lock)
                return _version;
        }
    }

    public StoredObject? Get(ResourceType type, string ns, string name)
    {
        lock (_lock)
            return _objects[type].GetValueOrDefault(StoredObject.KeyOf(ns, name));
    }

    /// <summary>All objects of a kind (in one namespace), in the order of their keys.</summary>
    public IReadOnlyList<StoredObject> List(ResourceType type, string? ns = null) => Snapshot(type, ns, null).Items;

    /// <summary>The first page of a list, or all of it when <paramref name="limit"/> is 0.</summary>
    public ObjectPage ListPage(ResourceType type, string? ns, Func<StoredObject, bool>? filter, int limit)
    {
        var (items, version) = Snapshot(type, ns, filter);
        return _pages.First(items, version, limit);
    }

    /// <exception cref="ApiException">410 for an expired token, 400 for one that was never given.</exception>
    public ObjectPage NextPage(string token, int limit) => _pages.Next(token, limit);

    /// <summary>
    /// Stores a new object, setting uid, creationTimestamp, generation and resourceVersion, and a name from generateName.
    /// </summary>
    public StoredObject Create(ResourceType type, JsonObject json)
    {
        ArgumentNullException.ThrowIfNull(type);
        ArgumentNullException.ThrowIfNull(json);
        var meta = json.Child("metadata");
        if (meta.Text("name") is null && meta.Text("generateName") is { } prefix)
            meta["name"] = prefix + RandomSuffix();
        json["apiVersion"] = type.ApiVersion;
        json["kind"] = type.Kind;
        meta["uid"] = Guid.NewGuid().ToString();
        meta["creationTimestamp"] = Timestamp(_time.GetUtcNow());
        if (json["spec"] is not null)
            meta["generation"] = 1;
        lock (_lock)
        {
            var key = StoredObject.KeyOf(json.Namespace(), json.Name());
            if (_objects[type].ContainsKey(key))
                throw ApiException.AlreadyExists(type, json.Name());
            return Put(StoreEventKind.Added, type, json, null);
        }
    }

    /// <summary>
    /// Replaces an object by what <paramref name="change"/> makes of a copy of it. A result equal to the present state writes nothing.
    /// <paramref name="change"/> runs inside the store's lock and may return null to leave all as it is.
    /// </summary>
    /// <exception cref="ApiException">404; 409 when <paramref name="expectedVersion"/> is given and is not the present one.</exception>
    public StoredObject Update(ResourceType type, string ns, string name, Func<JsonObject, JsonObject?> change,
        string? expectedVersion = null)
    {
        ArgumentNullException.ThrowIfNull(change);
        lock (_lock)
        {
            var present = _objects[type].GetValueOrDefault(StoredObject.KeyOf(ns, name)) ?? throw ApiException.NotFound(type, name);
            if (!string.IsNullOrEmpty(expectedVersion) && expectedVersion != present.Json.Text("metadata", "resourceVersion"))
                throw ApiException.Conflict(type, name);
            var next = change(present.Json.Copy());
            if (next is null || JsonNode.DeepEquals(next, present.Json))
                return present;
            if (next["spec"] is { } spec && !JsonNode.DeepEquals(spec, present.Json["spec"]))
                next.Child("metadata")["generation"] = (present.Json.Number("metadata", "generation") ?? 0) + 1;
            return Put(StoreEventKind.Modified, type, next, present);
        }
    }

    /// <summary>
    /// Removes the object now. Returns its last state, or null when it was gone already or <paramref name="onlyIf"/> refuses.
    /// </summary>
    public StoredObject? Remove(ResourceType type, string ns, string name, Func<StoredObject, bool>? onlyIf = null)
    {
        lock (_lock)
        {
            var key = StoredObject.KeyOf(ns, name);
            if (!_objects[type].TryGetValue(key, out var present) || (onlyIf is not null && !onlyIf(present)))
                return null;
            _objects[type] = _objects[type].Remove(key);
            var last = present.Json.Copy();
            last.Child("metadata")["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
            var gone = new StoredObject(last, _version);
            _history.Append(new StoreEvent(StoreEventKind.Deleted, type, gone, present));
            return gone;
        }
    }

    /// <summary>The changes after <paramref name="after"/>, then those to come.</summary>
    /// <exception cref="ApiException">410 when the history does not reach back that far.</exception>
    public StoreWatch Watch(ResourceType? type, long after)
    {
        lock (_lock)
            return _history.Open(type, after, Close);
    }

    /// <summary>The present objects and the changes after them, with nothing lost or doubled in between.</summary>
    public (IReadOnlyList<StoredObject> Present, long ResourceVersion, StoreWatch Watch) ListAndWatch(ResourceType type)
    {
        lock (_lock)
            return ([.. _objects[type].Values], _version, _history.Open(type, _version, Close));
    }

    /// <summary>Forgets the history: a watch from an older version is told 410 from now on.</summary>
    public void Compact()
    {
        lock (_lock)
            _history.Compact(_version);
    }

    public void ExpireContinueTokens() => _pages.Expire();

    /// <summary>RFC 3339 in whole seconds, as metadata carries it.</summary>
    public static string Timestamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>Five characters without vowels, as generated names end.</summary>
    public static string RandomSuffix() => Random.Shared.GetString("bcdfghjklmnpqrstvwxz2456789", 5);

    private StoredObject Put(StoreEventKind kind, ResourceType type, JsonObject json, StoredObject? previous)
    {
        json.Child("metadata")["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);
        var stored = new StoredObject(json, _version);
        _objects[type] = _objects[type].SetItem(stored.Key, stored);
        _history.Append(new StoreEvent(kind, type, stored, previous));
        return stored;
    }

    private (ImmutableArray<StoredObject> Items, long Version) Snapshot(ResourceType type, string? ns, Func<StoredObject, bool>? filter)
    {
        ImmutableSortedDictionary<string, StoredObject> all;
        long version;
        lock (_lock)
        {
            all = _objects[type];
            version = _version;
        }

        var prefix = string.IsNullOrEmpty(ns) ? null : ns + "/";
        return ([.. all.Values.Where(o => (prefix is null || o.Key.StartsWith(prefix, StringComparison.Ordinal))
            && (filter is null || filter(o)))], version);
    }

    private void Close(StoreWatch watch)
    {
        lock (_lock)
            _history.Close(watch);
    }
}
