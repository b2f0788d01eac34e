using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Arrays in memory.</content>
public sealed partial class BpfMap
{
    /// <summary>
    /// Maps an array made with <see cref="BpfMapFlags.MemoryMappable"/>: reads and writes without system calls. The mapping
    /// lives until the result is disposed, independent of this object.
    /// </summary>
    /// <exception cref="KernelException">The map is no such array.</exception>
    public unsafe MappedArray<T> MapArray<T>() where T : unmanaged
    {
        RequireSizes<uint, T>();
        RequireNoGaps<T>();
        var bytes = (nuint)sizeof(T) * Info.MaxEntries;
        var page = (nuint)Environment.SystemPageSize;
        var length = (bytes + page - 1) / page * page;
        return new MappedArray<T>(MappedMemory.Map(_fd, length, writable: true, 0, $"the map {Info.Name}"), checked((int)Info.MaxEntries));
    }

    // in the kernel elements lie at multiples of 8 bytes; a span can only show them where that leaves no gap
    private unsafe void RequireNoGaps<T>() where T : unmanaged
    {
        if (sizeof(T) % 8 != 0)
            throw new ArgumentException($"{this}: elements of {sizeof(T)} bytes lie at gaps; make the size a multiple of 8");
    }
}

/// <summary>
/// The elements of an array map, shared with the kernel. Aligned fields up to 8 bytes are written at once; an element as
/// a whole is not, so write it where no program looks, then publish it by an update elsewhere.
/// </summary>
public sealed class MappedArray<T> : IDisposable where T : unmanaged
{
    private readonly MappedMemory _memory;

    internal MappedArray(MappedMemory memory, int length)
    {
        _memory = memory;
        Length = length;
    }

    public int Length { get; }

    /// <summary>Must not be used after <see cref="Dispose"/>.</summary>
    /// <exception cref="ObjectDisposedException">The mapping is gone.</exception>
    public unsafe Span<T> Span => new(_memory.Pointer, Length);

    public void Dispose() => _memory.Dispose();
}
