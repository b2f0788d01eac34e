using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Interop;

/// <summary>Memory shared with the kernel through mmap; unmapped exactly once.</summary>
internal sealed class MappedMemory : SafeHandle
{
    private readonly nuint _length;

    private MappedMemory(nint address, nuint length) : base(-1, ownsHandle: true)
    {
        _length = length;
        SetHandle(address);
    }

    public override bool IsInvalid => handle == -1;

    public unsafe byte* Pointer
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return (byte*)handle;
        }
    }

    /// <param name="fd">What to map, from <paramref name="offset"/>.</param>
    /// <param name="length">In bytes, a multiple of the page size.</param>
    /// <param name="writable">Whether this process may write.</param>
    /// <param name="offset">In bytes, a multiple of the page size.</param>
    /// <param name="what">For the error: what is being mapped.</param>
    public static MappedMemory Map(FdHandle fd, nuint length, bool writable, nint offset, string what)
    {
        var protection = LibC.PROT_READ | (writable ? LibC.PROT_WRITE : 0);
        var address = LibC.MMap(0, length, protection, LibC.MAP_SHARED, fd, offset);
        return address != -1 ? new MappedMemory(address, length) : throw LibC.LastError($"map {what} into memory");
    }

    protected override bool ReleaseHandle() => LibC.MUnmap(handle, _length) == 0;
}
