namespace Ebpf.Cni.Dataplane.Services;

/// <summary>
/// A run of elements of the backend table: [<paramref name="Offset"/>, <paramref name="Offset"/> + <paramref name="Count"/>).
/// </summary>
public readonly record struct Extent(uint Offset, uint Count)
{
    /// <summary>The first element behind it. An extent inside a table never overflows here.</summary>
    public uint End => Offset + Count;

    public override string ToString() => $"[{Offset}, {End})";
}
