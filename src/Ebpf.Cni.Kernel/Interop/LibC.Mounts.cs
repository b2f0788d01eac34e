using System.Runtime.InteropServices;

namespace Ebpf.Cni.Kernel.Interop;

// What only those need who build whole trees of mounts.
internal static unsafe partial class LibC
{
    [LibraryImport(Library, EntryPoint = "pivot_root", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int PivotRoot(string newRoot, string putOld);

    public const uint S_IFREG = 0x8000;

    [LibraryImport(Library, EntryPoint = "mknod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeNode(string path, uint mode, ulong device);

    /// <summary>Of the calling thread alone, if it shares its file system attributes with no other.</summary>
    [LibraryImport(Library, EntryPoint = "chdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int ChangeDirectory(string path);
}
