using System.Runtime.InteropServices;
using Ebpf.Cni.Kernel.Interop;

namespace Ebpf.Cni.Kernel.Host;

/// <summary>
/// Whether a place can be written to, found without writing: as the kernel would judge (access(2)), mounts that are read-only included.
/// </summary>
public static class WriteAccess
{
    /// <summary>Why nothing can be written there, in words; null if it can. For what does not exist, what is above it counts.</summary>
    /// <param name="path">A file or a directory.</param>
    public static string? Refusal(string path)
    {
        var existing = Path.GetFullPath(path);
        while (!Path.Exists(existing) && Path.GetDirectoryName(existing) is { } above)
            existing = above;
        if (LibC.Access(existing, LibC.W_OK) == 0)
            return null;
        return Marshal.GetLastPInvokeError() switch
        {
            Errno.EROFS => $"{existing} is on a read-only file system",
            Errno.EACCES => $"{existing} is not writable for the user that this process runs as (owner, mode or security module), "
                + "and CAP_DAC_OVERRIDE is missing",
            var errno => $"{existing} cannot be written ({Errno.Name(errno)})",
        };
    }
}
