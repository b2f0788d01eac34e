using System.Formats.Tar;
using Ebpf.Cni.Testing;

namespace Ebpf.Cni.EndToEnd.Tests.Image;

/// <summary>What scripts/image-rootfs.sh has put together.</summary>
internal static class RootFileSystem
{
    /// <exception cref="DirectoryNotFoundException">It was not made; says how.</exception>
    public static string Directory
    {
        get
        {
            var path = Path.Combine(Repository.Root, "build", "image", "rootfs");
            return System.IO.Directory.Exists(path) ? path : throw new DirectoryNotFoundException(
                $"{path} is missing: run `make image-rootfs`");
        }
    }

    /// <summary>As the layer of an image.</summary>
    public static byte[] Layer()
    {
        using var memory = new MemoryStream();
        TarFile.CreateFromDirectory(Directory, memory, includeBaseDirectory: false);
        return memory.ToArray();
    }

    /// <summary>Files, links and directories, relative; links are not followed.</summary>
    public static IEnumerable<FileSystemInfo> Entries() =>
        Below(new DirectoryInfo(Directory));

    private static IEnumerable<FileSystemInfo> Below(DirectoryInfo directory) => directory.EnumerateFileSystemInfos()
        .SelectMany(e => e is DirectoryInfo { LinkTarget: null } inner ? Below(inner).Prepend(e) : [e]);
}
