using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Bpf;

/// <content>Large arrays in memory.</content>
public sealed partial class BpfMap
{
    /// <summary>As <see cref="MapArray{T}"/>, but maps only the parts that are used. This object must outlive the result.</summary>
    /// <exception cref="ArgumentException">Elements would lie at gaps.</exception>
    public WindowedArray<T> MapWindows<T>() where T : unmanaged
    {
        RequireSizes<uint, T>();
        RequireNoGaps<T>();
        return new WindowedArray<T>(_fd, Info);
    }
}

/// <summary>
/// The elements of an array map, shared with the kernel through windows that are mapped when first touched: the kernel counts every page
/// of a mapped array as resident at once, used or not, so a large table that is mostly empty would cost its full size. Thread-safe;
/// elements are copied one by one, so the rules of <see cref="MappedArray{T}"/> for publishing them hold.
/// </summary>
public sealed class WindowedArray<T> : IDisposable where T : unmanaged
{
    // A multiple of the page size whatever the element's size is, so that windows begin with a whole element.
    private static readonly int WindowLength = Math.Max(32768, Environment.SystemPageSize);

    private readonly Lock _lock = new();
    private readonly FdHandle _fd;
    private readonly BpfMapInfo _info;
    private readonly MappedMemory?[] _windows;
    private bool _disposed;

    internal WindowedArray(FdHandle fd, BpfMapInfo info)
    {
        _fd = fd;
        _info = info;
        Length = checked((int)info.MaxEntries);
        _windows = new MappedMemory?[(Length + WindowLength - 1) / WindowLength];
    }

    public int Length { get; }

    /// <summary>Windows mapped so far.</summary>
    internal int Mapped => _windows.Count(w => w is not null);

    /// <exception cref="ArgumentOutOfRangeException">Not inside the array.</exception>
    /// <exception cref="KernelException">A window cannot be mapped.</exception>
    /// <exception cref="ObjectDisposedException">The mappings are gone.</exception>
    public void Read(int offset, Span<T> into)
    {
        RequireInside(offset, into.Length);
        lock (_lock)
        {
            while (!into.IsEmpty)
            {
                var part = Part(offset, into.Length);
                part.CopyTo(into);
                offset += part.Length;
                into = into[part.Length..];
            }
        }
    }

    /// <inheritdoc cref="Read"/>
    public void Write(int offset, ReadOnlySpan<T> elements)
    {
        RequireInside(offset, elements.Length);
        lock (_lock)
        {
            while (!elements.IsEmpty)
            {
                var part = Part(offset, elements.Length);
                elements[..part.Length].CopyTo(part);
                offset += part.Length;
                elements = elements[part.Length..];
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            foreach (var window in _windows)
                window?.Dispose();
        }
    }

    /// <summary>As many of the elements from <paramref name="offset"/> as lie in one window.</summary>
    private unsafe Span<T> Part(int offset, int wanted)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var (index, start) = Math.DivRem(offset, WindowLength);
        var first = index * WindowLength;
        var length = Math.Min(WindowLength, Length - first);
        _windows[index] ??= MappedMemory.Map(_fd, Bytes(length), writable: true, (nint)Bytes(first),
            $"elements from {first} of the map {_info.Name}");
        return new Span<T>(_windows[index]!.Pointer, length).Slice(start, Math.Min(wanted, length - start));
    }

    private static unsafe nuint Bytes(int elements)
    {
        var page = (nuint)Environment.SystemPageSize;
        return ((nuint)sizeof(T) * (nuint)elements + page - 1) / page * page;
    }

    private void RequireInside(int offset, int count)
    {
        if (offset < 0 || count > Length - offset)
            throw new ArgumentOutOfRangeException(nameof(offset),
                $"[{offset}, {(long)offset + count}) is not inside {Length} elements of the map {_info.Name}");
    }
}
