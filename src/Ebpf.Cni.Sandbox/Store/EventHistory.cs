using System.Threading.Channels;

namespace Ebpf.Cni.Sandbox.Store;

/// <summary>
/// The changes that a watch can still start from, and the watches that are open. Bounded: what falls out of it makes an older
/// resourceVersion "too old", as compaction does in a real cluster. Guarded by the lock of the store that owns it.
/// </summary>
internal sealed class EventHistory(int capacity)
{
    private readonly Queue<StoreEvent> _events = new();
    private readonly List<StoreWatch> _watches = [];

    /// <summary>A watch may start at this version or later.</summary>
    public long OldestStart { get; private set; }

    public void Append(StoreEvent change)
    {
        _events.Enqueue(change);
        if (_events.Count > capacity)
            OldestStart = _events.Dequeue().ResourceVersion;
        foreach (var watch in _watches)
            watch.Offer(change);
    }

    /// <summary>Forgets everything up to <paramref name="now"/>.</summary>
    public void Compact(long now)
    {
        _events.Clear();
        OldestStart = now;
    }

    public StoreWatch Open(ResourceType? type, long after, Action<StoreWatch> onClose)
    {
        if (after < OldestStart)
            throw ApiException.Expired($"too old resource version: {after} ({OldestStart})");
        var watch = new StoreWatch(type, onClose);
        foreach (var change in _events)
        {
            if (change.ResourceVersion > after)
                watch.Offer(change);
        }

        _watches.Add(watch);
        return watch;
    }

    public void Close(StoreWatch watch) => _watches.Remove(watch);
}

/// <summary>The stream of changes of one kind (or of all), from one resourceVersion on, without gaps.</summary>
public sealed class StoreWatch : IDisposable
{
    private readonly Channel<StoreEvent> _changes =
        Channel.CreateUnbounded<StoreEvent>(new UnboundedChannelOptions { SingleReader = true });
    private readonly Action<StoreWatch> _onClose;
    private readonly ResourceType? _type;

    internal StoreWatch(ResourceType? type, Action<StoreWatch> onClose)
    {
        _type = type;
        _onClose = onClose;
    }

    public ChannelReader<StoreEvent> Changes => _changes.Reader;

    public void Dispose()
    {
        _onClose(this);
        _changes.Writer.TryComplete();
    }

    internal void Offer(StoreEvent change)
    {
        if (_type is null || ReferenceEquals(_type, change.Type))
            _changes.Writer.TryWrite(change);
    }
}
