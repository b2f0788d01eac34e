using System.Diagnostics;
using Ebpf.Cni.Kernel;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// A table that programs write while it is replaced. The new one gets everything before a program uses it, and then, pass by pass, what the
/// former programs have added or changed. A pass writes only what is younger than the pass before it, so it costs one read of the table.
/// </summary>
/// <param name="old">Of the former programs.</param>
/// <param name="young">Of the new programs.</param>
/// <param name="lastUsed">
/// An entry's time stamp, CLOCK_MONOTONIC in nanoseconds, exact to a second; null where entries have none and do not change.
/// </param>
/// <param name="merge">Of the former entry and the new one under the same key: what is to be written; null: the new one stays.</param>
internal sealed class LiveTable<TKey, TValue>(BpfMap old, BpfMap young, Func<TValue, ulong>? lastUsed, Func<TValue, TValue, TValue?>? merge)
    : TableGrowth(old, young) where TKey : unmanaged where TValue : unmanaged
{
    /// <summary>A program reads the clock before it writes; and a time stamp that is not a second old is not written again.</summary>
    private const ulong Margin = 1_000_000_000;

    private readonly BpfMapScan<TKey, TValue> _scan = new(old);
    private readonly HashSet<TKey> _copied = [];
    private ulong _from;

    public override void Fill()
    {
        var started = Now();
        _scan.Run((keys, values) =>
        {
            AddAll(keys, values);
            if (lastUsed is null)
                foreach (ref readonly var key in keys)
                    _copied.Add(key);
        });
        _from = Before(started);
    }

    public override void CatchUp()
    {
        var started = Now();
        _scan.Run((keys, values) =>
        {
            for (var i = 0; i < keys.Length; i++)
                if (lastUsed is null ? _copied.Add(keys[i]) : lastUsed(values[i]) >= _from)
                    Take(keys[i], values[i]);
        });
        _from = Before(started);
    }

    private void AddAll(ReadOnlySpan<TKey> keys, ReadOnlySpan<TValue> values)
    {
        for (var done = 0; done < keys.Length;)
        {
            try
            {
                Young.UpdateBatch(keys[done..], values[done..]);
                return;
            }
            catch (KernelException e) when (e.Errno == Errno.ENOMEM)
            {
                done += e.Written;
                Take(keys[done], values[done]);
                done++;
            }
        }
    }

    private void Take(in TKey key, in TValue value)
    {
        if (Add(key, value) || merge is null || !Young.TryLookup(key, out TValue there))
            return;
        if (merge(value, there) is { } merged)
            Young.Update(key, merged);
    }

    /// <summary>An LRU table may be out of free elements for an instant; the next try finds some.</summary>
    private bool Add(in TKey key, in TValue value)
    {
        try
        {
            return Young.TryAdd(key, value);
        }
        catch (KernelException e) when (e.Errno == Errno.ENOMEM)
        {
            return Young.TryAdd(key, value);
        }
    }

    private static ulong Before(ulong time) => time > Margin ? time - Margin : 0;

    /// <summary>The kernel's monotonic clock, by which programs stamp.</summary>
    private static ulong Now() => (ulong)(Stopwatch.GetElapsedTime(0).Ticks * (1_000_000 / TimeSpan.TicksPerMillisecond));
}
