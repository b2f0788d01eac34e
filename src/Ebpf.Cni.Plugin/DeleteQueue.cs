using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Plugin;

/// <summary>The plugin's end of the queue of deletions: complete files or none, readable by root alone, bounded in number.</summary>
public sealed class DeleteQueue(string directory)
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes it down; a repeated one replaces the first.</summary>
    /// <returns>The file.</returns>
    /// <exception cref="CniException">
    /// Code 11: it cannot be written, or there are too many. The runtime has to repeat the DEL then. So too where the directory above does
    /// not exist: no agent was ever there, and a wrong path must not look like success.
    /// </exception>
    public string Put(PendingDelete pending)
    {
        ArgumentNullException.ThrowIfNull(pending);
        var path = Path.Combine(directory, pending.FileName);
        // The process's number: runtimes repeat a DEL before the first has ended.
        var temporary = Path.Combine(directory, $".{Environment.ProcessId}-{Environment.TickCount64}");
        try
        {
            if (!Directory.Exists(Path.GetDirectoryName(directory)))
                throw new CniException(CniErrorCode.TryAgainLater,
                    $"the DEL cannot be queued: there is no directory {Path.GetDirectoryName(directory)}");
            Directory.CreateDirectory(directory, OwnerOnly | UnixFileMode.UserExecute);
            if (!File.Exists(path) && Directory.EnumerateFileSystemEntries(directory).Take(PendingDelete.FilesMax)
                .Count() >= PendingDelete.FilesMax)
                throw new CniException(
                    CniErrorCode.TryAgainLater, $"the DEL cannot be queued: {PendingDelete.FilesMax} are queued in {directory} already");
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerOnly };
            using (var stream = new FileStream(temporary, options))
            {
                stream.Write(pending.ToJson());
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            TryDelete(temporary);
            throw new CniException(CniErrorCode.TryAgainLater, $"the DEL cannot be queued in {directory}", e.Message, e);
        }
    }

    /// <summary>It was done after all. If it stays, it is done once more, and nothing happens then.</summary>
    public static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Done twice is done.
        }
    }
}
