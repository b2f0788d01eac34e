namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// A set of free extents, never touching each other: best fit, lowest offset among equals, coalescing on return. Everything is O(log n).
/// </summary>
internal sealed class FreeExtents
{
    private static readonly IComparer<Extent> SizeThenOffset = Comparer<Extent>.Create(static (a, b) =>
    {
        var c = a.Count.CompareTo(b.Count);
        return c != 0 ? c : a.Offset.CompareTo(b.Offset);
    });

    private readonly SortedSet<Extent> _bySize = new(SizeThenOffset);
    private readonly SortedSet<Extent> _byOffset = new(Comparer<Extent>.Create(static (a, b) => a.Offset.CompareTo(b.Offset)));

    /// <summary>Elements in all extents together.</summary>
    public uint Total { get; private set; }

    public uint Largest => _bySize.Count == 0 ? 0 : _bySize.Max.Count;

    public IEnumerable<Extent> All => _byOffset;

    /// <summary>Takes the beginning of the smallest extent that holds <paramref name="count"/> elements.</summary>
    public bool TryTake(uint count, out Extent taken)
    {
        taken = default;
        if (count == 0 || Largest < count)
            return false;
        var home = _bySize.GetViewBetween(new Extent(0, count), new Extent(uint.MaxValue, uint.MaxValue)).Min;
        taken = new Extent(home.Offset, count);
        Carve(home, taken);
        return true;
    }

    /// <summary>Takes exactly these elements.</summary>
    /// <exception cref="InvalidOperationException">Not all of them are free.</exception>
    public void Take(Extent extent)
    {
        if (!TryFloor(extent.Offset, out var home) || home.End < extent.End)
            throw new InvalidOperationException($"{extent} is not free");
        Carve(home, extent);
    }

    /// <summary>Returns elements, joining them with their neighbours.</summary>
    /// <exception cref="InvalidOperationException">Some of them are free already.</exception>
    public void Put(Extent extent)
    {
        var joined = extent;
        if (TryFloor(extent.Offset, out var before) && before.End >= extent.Offset)
        {
            if (before.End > extent.Offset)
                throw new InvalidOperationException($"{extent} is free already in {before}");
            joined = new Extent(before.Offset, before.Count + extent.Count);
        }
        var hasAfter = TryCeiling(extent.Offset, out var after);
        if (hasAfter && after.Offset < extent.End)
            throw new InvalidOperationException($"{extent} is free already in {after}");

        if (joined.Offset != extent.Offset)
            Drop(before);
        if (hasAfter && after.Offset == extent.End)
        {
            Drop(after);
            joined = joined with { Count = joined.Count + after.Count };
        }
        Add(joined);
    }

    private void Carve(Extent home, Extent part)
    {
        Drop(home);
        if (part.Offset > home.Offset)
            Add(new Extent(home.Offset, part.Offset - home.Offset));
        if (part.End < home.End)
            Add(new Extent(part.End, home.End - part.End));
    }

    private void Add(Extent extent)
    {
        _bySize.Add(extent);
        _byOffset.Add(extent);
        Total += extent.Count;
    }

    private void Drop(Extent extent)
    {
        _bySize.Remove(extent);
        _byOffset.Remove(extent);
        Total -= extent.Count;
    }

    private bool TryFloor(uint offset, out Extent found)
    {
        var view = _byOffset.GetViewBetween(new Extent(0, 0), new Extent(offset, 0));
        found = view.Max;
        return found.Count != 0;
    }

    private bool TryCeiling(uint offset, out Extent found)
    {
        var view = _byOffset.GetViewBetween(new Extent(offset, 0), new Extent(uint.MaxValue, 0));
        found = view.Min;
        return found.Count != 0;
    }
}
