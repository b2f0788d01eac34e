using System.Diagnostics;
using Ebpf.Cni.Abi;
using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Benchmarks.Strain;

/// <summary>
/// How long the kernel's table stays behind the API: from a change in the store until the frontend has so many backends as the change
/// left it.
/// </summary>
internal sealed class TableLag : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    private readonly BpfMap _table;
    private readonly Lock _lock = new();
    private readonly Queue<(SvcKey Key, uint Backends, long Since)> _awaited = new();
    private readonly List<double> _milliseconds = [];
    private readonly CancellationTokenSource _end = new();
    private readonly Task _looking;

    public TableLag(string bpffs)
    {
        _table = BpfMap.OpenPinned(Path.Combine(bpffs, "maps", MapNames.Service));
        _looking = LookAsync();
    }

    /// <summary>The change is in the store now.</summary>
    public void Expect(int service, int backends)
    {
        lock (_lock)
            _awaited.Enqueue((KeyOf(service), (uint)backends, Stopwatch.GetTimestamp()));
    }

    /// <summary>Waits until the table has all that is expected. Milliseconds, sorted.</summary>
    /// <exception cref="TimeoutException">One did not appear within 30 s.</exception>
    public async Task<IReadOnlyList<double>> AllSeenAsync()
    {
        await Testing.Eventually.True(
            () =>
            {
                lock (_lock)
                    return _awaited.Count == 0;
            },
            "the table has every change", Longest);
        lock (_lock)
            return [.. _milliseconds.Order()];
    }

    public void Dispose()
    {
        _end.Cancel();
        _looking.Wait();
        _table.Dispose();
        _end.Dispose();
    }

    private static SvcKey KeyOf(int service) =>
        new(Addr.From(StormObjects.ClusterIP(service)), U16Be.FromHost(80), IpProtocol.Tcp, Scope.Internal);

    /// <summary>The longest time in which nothing was looked at, because this process itself stood still.</summary>
    public TimeSpan Blind { get; private set; }

    // looks every millisecond: a busy wait would take one of the processors from those it waits for
    private async Task LookAsync()
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        var looked = Stopwatch.GetTimestamp();
        while (!_end.IsCancellationRequested)
        {
            await tick.WaitForNextTickAsync();
            var blind = Stopwatch.GetElapsedTime(looked);
            Blind = blind > Blind ? blind : Blind;
            looked = Stopwatch.GetTimestamp();
            lock (_lock)
                Look();
        }
    }

    // A table that has skipped a change has it: the first later change of the same frontend that it shows is one that came after.
    private void Look()
    {
        while (_awaited.TryPeek(out var first))
        {
            var present = _table.TryLookup<SvcKey, Svc>(first.Key, out var value) ? value.Count : 0;
            var shown = _awaited.TakeWhile(a => a.Key == first.Key).TakeWhile(a => a.Backends != present).Count();
            if (shown >= _awaited.Count || _awaited.ElementAt(shown).Key != first.Key)
                return;
            for (var i = 0; i <= shown; i++)
                _milliseconds.Add(Stopwatch.GetElapsedTime(_awaited.Dequeue().Since).TotalMilliseconds);
        }
    }
}
