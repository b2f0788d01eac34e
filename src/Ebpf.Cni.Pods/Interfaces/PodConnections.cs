using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel;

namespace Ebpf.Cni.Pods.Interfaces;

/// <summary>
/// Ends the connections of pods that are gone, before a new pod has their addresses: it would go on with what the old one began. One pass
/// over the table is for all pods that go within a moment, while their addresses rest. Thread-safe.
/// </summary>
/// <param name="purge">Removes all entries that name one of these addresses; returns how many.</param>
/// <param name="time">For the moment.</param>
/// <param name="log">For errors.</param>
public sealed partial class PodConnections(Func<IReadOnlyCollection<Addr>, int> purge, TimeProvider time, ILogger<PodConnections> log)
{
    /// <summary>A drain deletes hundreds of pods at once; no request waits for this.</summary>
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(250);

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly Lock _passing = new();
    private readonly HashSet<Addr> _pending = [];
    private bool _scheduled;

    /// <summary>These pods are gone. Never blocks.</summary>
    public void End(IEnumerable<Addr> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        lock (_lock)
        {
            _pending.UnionWith(addresses);
            if (_scheduled || _pending.Count == 0)
                return;
            _scheduled = true;
        }

        _ = PassLaterAsync(Gathering);
    }

    /// <summary>Returns when none of these is left to be ended: a new pod gets them.</summary>
    public void Settle(IEnumerable<Addr> addresses)
    {
        lock (_lock)
            if (!addresses.Any(_pending.Contains))
                return;
        Pass();
    }

    private async Task PassLaterAsync(TimeSpan delay)
    {
        await Task.Delay(delay, time);
        lock (_lock)
            _scheduled = false;
        Pass();
    }

    private void Pass()
    {
        lock (_passing)
        {
            Addr[] gone;
            lock (_lock)
                gone = [.. _pending];
            if (gone.Length == 0)
                return;
            try
            {
                var started = time.GetTimestamp();
                var entries = purge(gone);
                if (entries > 0)
                    Log.Ended(log, entries, gone.Length, time.GetElapsedTime(started).TotalMilliseconds);
                lock (_lock)
                    _pending.ExceptWith(gone);
            }
            catch (Exception e)
            {
                // Any exception: no caller awaits this, and a new pod must not go on with an old one's connections for it.
                Log.Failed(log, gone.Length, e.Message, e is KernelException ? null : e);
                Again();
            }
        }
    }

    private void Again()
    {
        lock (_lock)
        {
            if (_scheduled)
                return;
            _scheduled = true;
        }

        _ = PassLaterAsync(RetryAfter);
    }

    private static partial class Log
    {
        [LoggerMessage(3191, LogLevel.Debug,
            "conntrack: {Entries} entries of deleted pods removed ({Addresses} addresses, {Milliseconds:0.0} ms)")]
        public static partial void Ended(ILogger log, int entries, int addresses, double milliseconds);

        [LoggerMessage(3192, LogLevel.Error,
            "conntrack: entries of deleted pods cannot be removed ({Addresses} addresses), retrying: {Cause}")]
        public static partial void Failed(ILogger log, int addresses, string cause, Exception? e);
    }
}
