using Ebpf.Cni.Dataplane.Tables;

namespace Ebpf.Cni.Dataplane.Tests.Services;

/// <summary>A table that fails, dies and fills up as told.</summary>
internal sealed class FakeTable<TKey, TValue>(uint capacity) : IKeyedTable<TKey, TValue> where TKey : unmanaged where TValue : unmanaged
{
    public Dictionary<TKey, TValue> Entries { get; private init; } = [];

    public Func<Fault> NextFault { get; set; } = () => Fault.None;

    public Action AfterStep { get; set; } = () => { };

    /// <summary>A value was replaced or deleted.</summary>
    public Action<TValue> AfterLeft { get; set; } = _ => { };

    public int Writes { get; private set; }

    public int Reads { get; private set; }

    public uint Capacity => capacity;

    public FakeTable<TKey, TValue> Clone() => new(capacity) { Entries = new(Entries) };

    public List<KeyValuePair<TKey, TValue>> ReadAll()
    {
        Reads++;
        return [.. Entries];
    }

    public BatchOutcome Update(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            var fault = NextFault();
            if (fault == Fault.Crash)
                throw new CrashException();
            if (fault == Fault.Fail)
                return new BatchOutcome(i, new IOException("injected"));
            var replaces = Entries.TryGetValue(keys[i], out var old);
            if (!replaces && Entries.Count >= capacity)
                return new BatchOutcome(i, new IOException("E2BIG"), Full: true);
            Writes++;
            Entries[keys[i]] = values[i];
            if (replaces)
                AfterLeft(old);
            AfterStep();
            if (fault == Fault.FailAfterwards)
                return new BatchOutcome(i, new IOException("injected, but done"));
        }
        return new BatchOutcome(keys.Length);
    }

    public BatchOutcome Delete(ReadOnlySpan<TKey> keys)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            var fault = NextFault();
            if (fault == Fault.Crash)
                throw new CrashException();
            if (fault == Fault.Fail)
                return new BatchOutcome(i, new IOException("injected"));
            Writes++;
            if (Entries.Remove(keys[i], out var old))
                AfterLeft(old);
            AfterStep();
            if (fault == Fault.FailAfterwards)
                return new BatchOutcome(i, new IOException("injected, but done"));
        }
        return new BatchOutcome(keys.Length);
    }
}
