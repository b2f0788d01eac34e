namespace Ebpf.Cni.Pods.Endpoints;

/// <summary>One holder at a time for each key; a key without holder or waiter costs nothing.</summary>
internal sealed class KeyedLock<TKey> where TKey : notnull
{
    private readonly Lock _lock = new();
    private readonly Dictionary<TKey, Entry> _entries = [];

    public async Task<IDisposable> EnterAsync(TKey key, CancellationToken cancel)
    {
        Entry entry;
        lock (_lock)
        {
            if (!_entries.TryGetValue(key, out entry!))
                _entries.Add(key, entry = new Entry());
            entry.Users++;
        }

        try
        {
            await entry.Gate.WaitAsync(cancel);
        }
        catch
        {
            Leave(key, entry);
            throw;
        }

        return new Holder(this, key, entry);
    }

    private void Leave(TKey key, Entry entry)
    {
        lock (_lock)
        {
            if (--entry.Users > 0)
                return;
            _entries.Remove(key);
            entry.Gate.Dispose();
        }
    }

    private sealed class Entry
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        public int Users { get; set; }
    }

    private sealed class Holder(KeyedLock<TKey> owner, TKey key, Entry entry) : IDisposable
    {
        public void Dispose()
        {
            entry.Gate.Release();
            owner.Leave(key, entry);
        }
    }
}
