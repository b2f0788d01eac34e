using System.Collections.Concurrent;
using Ebpf.Cni.Sandbox.Store;

namespace Ebpf.Cni.Sandbox.Api;

/// <summary>How a request is made to fail.</summary>
public enum FaultKind
{
    /// <summary>Answers with <see cref="Fault.Status"/>.</summary>
    Status,

    /// <summary>Closes the connection without an answer.</summary>
    Drop,

    /// <summary>200 with a body that is not JSON; in a watch, one line of it and then the end.</summary>
    Garbage,

    /// <summary>200 with a body that ends in the middle; in a watch, half an event and then the end.</summary>
    Truncate,

    /// <summary>A watch that starts with an ERROR event carrying <see cref="Fault.Status"/>; other requests get that status.</summary>
    WatchError,

    /// <summary>Only the delay, then a correct answer.</summary>
    Delay,
}

/// <summary>A failure to come.</summary>
/// <param name="Kind">What happens.</param>
/// <param name="Path">Requests whose path contains this; null for all. The sandbox's own paths are never hit.</param>
/// <param name="Count">How many requests are hit.</param>
/// <param name="Status">HTTP status of the kinds that have one.</param>
/// <param name="Delay">Waited before, whatever the kind.</param>
/// <param name="RetryAfterSeconds">A Retry-After header, or none.</param>
/// <param name="OnlyWatches">True: only watches; false: only other requests; null: both.</param>
public sealed record Fault(FaultKind Kind, string? Path = null, int Count = 1, int Status = 500, TimeSpan Delay = default,
    int? RetryAfterSeconds = null, bool? OnlyWatches = null);

/// <summary>Makes the API server behave as badly as a real one can, on command.</summary>
public sealed class Misbehaviour(ObjectStore store)
{
    private readonly Lock _lock = new();
    private readonly List<(Fault Fault, int Left)> _faults = [];
    private readonly ConcurrentDictionary<HttpContext, byte> _watches = new();
    private volatile TaskCompletionSource? _stalled;
    private long _watchesStarted;

    /// <summary>Watches open now.</summary>
    public int OpenWatches => _watches.Count;

    /// <summary>Watches ever begun: tests wait for it to rise.</summary>
    public long WatchesStarted => Interlocked.Read(ref _watchesStarted);

    public void Add(Fault fault)
    {
        lock (_lock)
            _faults.Add((fault, fault.Count));
    }

    /// <summary>Forgets the faults that have not struck yet and lets stalled watches go on.</summary>
    public void Clear()
    {
        lock (_lock)
            _faults.Clear();
        ResumeWatches();
    }

    /// <summary>Resets the connections of all open watches.</summary>
    public void DropWatches()
    {
        foreach (var watch in _watches.Keys)
        {
            try
            {
                watch.Abort();
            }
            catch (ObjectDisposedException)
            {
                // it ended between being listed and now
            }
        }
    }

    /// <summary>From now on watches stay open but say nothing, bookmarks included, until <see cref="ResumeWatches"/>.</summary>
    public void StallWatches() =>
        Interlocked.CompareExchange(ref _stalled, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), null);

    public void ResumeWatches() => Interlocked.Exchange(ref _stalled, null)?.TrySetResult();

    /// <summary>Forgets the history: older resourceVersions are answered 410.</summary>
    public void CompactHistory() => store.Compact();

    public void ExpireContinueTokens() => store.ExpireContinueTokens();

    /// <summary>Takes the first fault that this request is to suffer.</summary>
    internal Fault? Next(string path, bool isWatch)
    {
        lock (_lock)
        {
            var at = _faults.FindIndex(f => (f.Fault.Path is null || path.Contains(f.Fault.Path, StringComparison.Ordinal))
                && (f.Fault.OnlyWatches ?? isWatch) == isWatch);
            if (at < 0)
                return null;
            var (fault, left) = _faults[at];
            if (left <= 1)
                _faults.RemoveAt(at);
            else
                _faults[at] = (fault, left - 1);
            return fault;
        }
    }

    internal void Opened(HttpContext watch)
    {
        _watches[watch] = 0;
        Interlocked.Increment(ref _watchesStarted);
    }

    internal void Closed(HttpContext watch) => _watches.TryRemove(watch, out _);

    internal Task WhileStalledAsync(CancellationToken cancel) => _stalled is { } stall ? stall.Task.WaitAsync(cancel) : Task.CompletedTask;
}
