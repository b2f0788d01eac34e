namespace Ebpf.Cni.Kernel.Bpf;

/// <summary>How a map is declared.</summary>
/// <param name="Name">In the object; the kernel keeps the first 15 characters.</param>
/// <param name="Type">What kind of table.</param>
/// <param name="KeySize">Bytes; 0 for ring buffers.</param>
/// <param name="ValueSize">Bytes, of one CPU's value for per-CPU maps; 0 for ring buffers.</param>
/// <param name="MaxEntries">Elements; bytes for ring buffers.</param>
public sealed record BpfMapSpec(
    string Name, BpfMapType Type, int KeySize, int ValueSize, uint MaxEntries, BpfMapFlags Flags = BpfMapFlags.None)
{
    /// <summary>The key's type in the object's <see cref="Btf"/>; 0 if it was declared by size only.</summary>
    public uint KeyTypeId { get; init; }

    /// <summary>
    /// The value's type in the object's <see cref="Btf"/>; 0 if it was declared by size only; a data section's for globals.
    /// </summary>
    public uint ValueTypeId { get; init; }
}

/// <summary>What the kernel says of a map that exists. Names are cut to 15 characters.</summary>
public sealed record BpfMapInfo(
    uint Id, string Name, BpfMapType Type, int KeySize, int ValueSize, uint MaxEntries, BpfMapFlags Flags)
{
    /// <summary>Each CPU has a value of its own.</summary>
    public bool IsPerCpu => Type is BpfMapType.PerCpuHash or BpfMapType.PerCpuArray or BpfMapType.LruPerCpuHash;

    /// <summary>
    /// Whether programs written for <paramref name="spec"/> read this map's bytes as they were written: same type, sizes
    /// and flags. The number of elements may differ.
    /// </summary>
    public bool SameLayout(BpfMapSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return Type == spec.Type && KeySize == spec.KeySize && ValueSize == spec.ValueSize && Flags == spec.Flags;
    }
}
