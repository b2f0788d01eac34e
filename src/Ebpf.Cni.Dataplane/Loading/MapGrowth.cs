using Ebpf.Cni.Kernel.Bpf;

namespace Ebpf.Cni.Dataplane.Loading;

/// <summary>
/// Tables of another size for a changed option, without a moment of missing services: the new map gets the old one's content, then the
/// links get programs that use the new one, then it takes over the pin. While links are replaced, one after the other, packets meet
/// programs of both kinds: what the former ones write is carried over all the time (<see cref="LiveTable{TKey,TValue}"/>). A connection
/// cannot wait for that: programs that use both conntrack tables come in between (bpf/lib/conntrack_table.h).
/// </summary>
/// <remarks>
/// A start that dies before the first link is replaced is simply repeated. One that dies later leaves programs of both kinds, so the new
/// map of a table that packets write has a pin of its own by then: the next start goes on with it, and changes its size again if the option
/// has changed meanwhile.
/// </remarks>
internal sealed class MapGrowth(PinLayout pins) : IDisposable
{
    private const string NextSuffix = "_next";
    private readonly Dictionary<string, TableGrowth> _grown = [];
    private readonly CancellationTokenSource _stop = new();
    private Task? _follower;

    /// <summary>
    /// A larger table always; a smaller one where packets write, and only if it would be half empty: an LRU table forgets entries before it
    /// is full.
    /// </summary>
    public static bool CanReplace(string map, BpfMap pinned, uint entries) =>
        GrowthKind.Of(map) is { } kind && (entries > pinned.Info.MaxEntries
            || (entries < pinned.Info.MaxEntries && kind.Count is { } count && count(pinned) * 2 <= entries));

    public static bool CanShrink(string map) => GrowthKind.Of(map)?.Count is not null;

    /// <summary>Takes up what a start has left that died while programs of both kinds ran, and removes what is of no more use.</summary>
    public void Resume()
    {
        foreach (var path in Directory.GetFiles(pins.Maps, "*" + NextSuffix))
        {
            var name = Path.GetFileName(path)[..^NextSuffix.Length];
            if (CanShrink(name) && BpfMap.TryOpenPinned(pins.Map(name), out var old))
                _grown.Add(name, GrowthKind.Of(name)!.Begin(old, BpfMap.OpenPinned(path)));
            else
                File.Delete(path);
        }
    }

    /// <summary>A map that replaces the pinned one in this start.</summary>
    public BpfMap? Find(string map) => _grown.GetValueOrDefault(map)?.Young;

    /// <summary>Fills the map that an object's load has just made.</summary>
    public void Fill(string name, BpfObject loaded)
    {
        var growth = GrowthKind.Of(name)!.Begin(BpfMap.OpenPinned(pins.Map(name)), loaded.GetMap(name));
        _grown.Add(name, growth);
        growth.Fill();
        if (CanShrink(name))
            growth.Young.Pin(pins.Map(name) + NextSuffix);
    }

    /// <summary>Brings the new maps up to date and keeps them so, beside the caller, who replaces programs now.</summary>
    public void Follow()
    {
        if (_grown.Count == 0 || _follower is not null)
            return;
        CatchUp();
        _follower = Task.Factory.StartNew(FollowOn, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    /// <summary>When every link runs programs that use the new maps: they take over the pins.</summary>
    public void Commit()
    {
        StopFollowing()?.GetAwaiter().GetResult();
        foreach (var growth in _grown.Values)
            growth.Finish();
        foreach (var (name, growth) in _grown)
        {
            var next = pins.Map(name) + NextSuffix;
            if (!File.Exists(next))
                growth.Young.Pin(next);
            File.Move(next, pins.Map(name), overwrite: true);
        }
        Clear();
    }

    public void Dispose()
    {
        StopFollowing();
        Clear();
        _stop.Dispose();
    }

    private void FollowOn()
    {
        while (!_stop.Token.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(1)))
            CatchUp();
    }

    private void CatchUp()
    {
        foreach (var growth in _grown.Values)
            growth.CatchUp();
    }

    /// <returns>What was running, complete; null if nothing was.</returns>
    private Task? StopFollowing()
    {
        var follower = _follower;
        _follower = null;
        _stop.Cancel();
        follower?.ContinueWith(_ => { }, TaskScheduler.Default).Wait();
        return follower;
    }

    private void Clear()
    {
        foreach (var growth in _grown.Values)
            growth.Dispose();
        _grown.Clear();
    }
}
