using Ebpf.Cni.Pods.Endpoints;
using Ebpf.Cni.Protocol.Cni;

namespace Ebpf.Cni.Pods.Requests;

/// <summary>
/// The agent's end of the queue of deletions that the plugin writes while no agent answers; see <see cref="PendingDelete"/>.
/// </summary>
public sealed partial class PendingDeletes
{
    private const UnixFileMode OwnerDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _directory;
    private readonly ILogger _log;

    /// <summary>Makes the directory where it is missing, for root alone.</summary>
    public PendingDeletes(string directory, ILogger<PendingDeletes> log)
    {
        (_directory, _log) = (directory, log);
        Directory.CreateDirectory(directory, OwnerDirectory);
        File.SetUnixFileMode(directory, OwnerDirectory);
        // Of plugins that were killed while they wrote. One that writes now reports a failure, and is run again.
        foreach (var file in Directory.GetFiles(directory, ".*"))
            Remove(file);
    }

    /// <summary>What waits. Any other file is removed.</summary>
    public IReadOnlyList<EndpointKey> List()
    {
        var keys = new List<EndpointKey>();
        foreach (var file in Files())
        {
            var pending = Read(file);
            if (pending is not null && Path.GetFileName(file) == pending.FileName)
            {
                keys.Add(new EndpointKey(pending.ContainerId, pending.Ifname));
                continue;
            }

            // It may be gone because it was done.
            if (!File.Exists(file))
                continue;
            Log.Unreadable(_log, file);
            Remove(file);
        }

        return keys;
    }

    public bool Has(EndpointKey key) => File.Exists(PathOf(key));

    /// <summary>The attachment is gone; nothing happens where none waited.</summary>
    public void Done(EndpointKey key) => Remove(PathOf(key));

    private string[] Files()
    {
        try
        {
            return Directory.GetFiles(_directory, "*" + PendingDelete.Extension);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.Failed(_log, _directory, e.Message);
            return [];
        }
    }

    private static PendingDelete? Read(string file)
    {
        try
        {
            using var stream = File.OpenRead(file);
            var buffer = new byte[PendingDelete.BytesMax];
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            return PendingDelete.Parse(buffer.AsMemory(0, length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Remove(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is done again then, and again for nothing.
            Log.Failed(_log, file, e.Message);
        }
    }

    private string PathOf(EndpointKey key) => Path.Combine(_directory, new PendingDelete(key.ContainerId, key.Ifname).FileName);

    private static partial class Log
    {
        [LoggerMessage(3171, LogLevel.Warning, "DEL queue: {File} is not a queued DEL and was removed")]
        public static partial void Unreadable(ILogger log, string file);

        [LoggerMessage(3172, LogLevel.Error, "DEL queue: {File} cannot be read or removed: {Cause}")]
        public static partial void Failed(ILogger log, string file, string cause);
    }
}
