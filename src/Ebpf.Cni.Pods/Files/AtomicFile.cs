namespace Ebpf.Cni.Pods.Files;

/// <summary>
/// Files that are there completely or not at all: temporary beside the target, fsync, rename. The directory is not synced: what must
/// survive is the death of this process; the death of the machine takes the pods with it.
/// </summary>
public static class AtomicFile
{
    /// <summary>Names that start so are leftovers of a write that never ended.</summary>
    public const string TemporaryPrefix = ".tmp-";

    /// <exception cref="IOException">The disk is full, the directory is missing…; the target is as it was.</exception>
    public static void Write(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        var directory = Path.GetDirectoryName(path) ?? throw new ArgumentException("a file in a directory is expected", nameof(path));
        var temporary = Path.Combine(directory, $"{TemporaryPrefix}{Path.GetFileName(path)}-{Guid.NewGuid():N}");
        try
        {
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = mode };
            using (var stream = new FileStream(temporary, options))
            {
                stream.Write(content);
                stream.Flush(flushToDisk: true);
            }

            // The umask may have taken bits away.
            File.SetUnixFileMode(temporary, mode);
            File.Move(temporary, path, overwrite: true);
        }
        catch
        {
            File.Delete(temporary);
            throw;
        }
    }

    /// <summary>Writes it unless it is there with this content and mode.</summary>
    /// <returns>It was written.</returns>
    /// <inheritdoc cref="Write"/>
    public static bool Ensure(string path, ReadOnlySpan<byte> content, UnixFileMode mode)
    {
        if (File.Exists(path) && File.ReadAllBytes(path).AsSpan().SequenceEqual(content) && File.GetUnixFileMode(path) == mode)
            return false;
        Write(path, content, mode);
        return true;
    }

    /// <summary>
    /// Removes what interrupted writes left in a directory: of all files, or of one where the directory is shared with others.
    /// </summary>
    public static void RemoveLeftovers(string directory, string name = "")
    {
        foreach (var file in Directory.EnumerateFiles(directory, $"{TemporaryPrefix}{name}*"))
            File.Delete(file);
    }
}
